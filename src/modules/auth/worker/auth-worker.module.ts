import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { JobHandler } from '../../../platform/queue/job-handler.js';
import { SignInModule } from '../sign-in.module.js';
import { CodeDeliveryService } from './code-delivery.service.js';
import { DeliverProcessor, OTHER_MESSAGES } from './deliver.processor.js';
import { ExpiredTokens } from './expired-tokens.js';
import { UnsentCodes } from './unsent-codes.js';

@Module({})
export class AuthWorkerModule {
  /** @param messages modules, each with the handler it exports of its jobs in the queue of messages */
  static with(messages: { module: Type; handler: Type<JobHandler> }[] = []): DynamicModule {
    return {
      module: AuthWorkerModule,
      imports: [SignInModule, ...messages.map(({ module }) => module)],
      providers: [
        DeliverProcessor,
        CodeDeliveryService,
        UnsentCodes,
        ExpiredTokens,
        {
          provide: OTHER_MESSAGES,
          useFactory: (...all: JobHandler[]) => all,
          inject: messages.map(({ handler }) => handler),
        },
      ],
      exports: [UnsentCodes, ExpiredTokens],
    };
  }
}
