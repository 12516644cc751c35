import { Module } from '@nestjs/common';
import { FileCompletion } from './file-completion.js';

@Module({ providers: [FileCompletion], exports: [FileCompletion] })
export class InspectWorkerModule {}
