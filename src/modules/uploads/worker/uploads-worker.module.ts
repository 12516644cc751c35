import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { EventsModule } from '../../events/events.module.js';
import { MetadataModule } from '../../metadata/metadata.module.js';
import type { Chore } from '../../../platform/queue/chore.js';
import type { SurfaceListener } from '../registrar.js';
import { UploadsModule } from '../uploads.module.js';
import { ArchiveReader } from './archive.reader.js';
import { ContentReader } from './content.reader.js';
import { PurgeService } from './purge.service.js';
import { CHORES, Reconciler } from './reconciler.js';
import { SettlementService, SURFACE_LISTENERS } from './settlement.service.js';
import { StagingSweep } from './staging.sweep.js';
import { VerifyProcessor } from './verify.processor.js';
import { VerifyService } from './verify.service.js';

@Module({})
export class UploadsWorkerModule {
  /**
   * @param registrar the module that exports the `Registrar`: uploads know no index, the composition tells them.
   * @param surfaces modules, each with the listener it exports
   * @param chores modules, each with the chore it exports
   */
  static with(
    registrar: Type,
    surfaces: { module: Type; listener: Type<SurfaceListener> }[] = [],
    chores: { module: Type | DynamicModule; chore: Type<Chore> }[] = [],
  ): DynamicModule {
    return {
      module: UploadsWorkerModule,
      imports: [
        UploadsModule,
        EventsModule,
        MetadataModule,
        registrar,
        ...surfaces.map(({ module }) => module),
        ...chores.map(({ module }) => module),
      ],
      providers: [
        VerifyProcessor,
        VerifyService,
        ContentReader,
        ArchiveReader,
        SettlementService,
        Reconciler,
        StagingSweep,
        PurgeService,
        {
          provide: SURFACE_LISTENERS,
          useFactory: (...listeners: SurfaceListener[]) => listeners,
          inject: surfaces.map(({ listener }) => listener),
        },
        {
          provide: CHORES,
          useFactory: (...all: Chore[]) => all,
          inject: chores.map(({ chore }) => chore),
        },
      ],
      exports: [VerifyService, Reconciler],
    };
  }
}
