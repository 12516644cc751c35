import { Module } from '@nestjs/common';
import { OutboundModule } from '../../../platform/outbound/outbound.module.js';
import '../exports.events.js';
import { BucketAnchors, UrlAnchors } from './anchor-places.js';
import { Anchoring } from './anchoring.js';
import { ExportBucket } from './export.bucket.js';
import { ExportFile } from './export.file.js';
import { ExportProcessor } from './export.processor.js';
import { ExportService } from './export.service.js';
import { LedgerGauges } from './ledger-gauges.js';
import { SealerService } from './sealer.service.js';
import { Sealing } from './sealing.js';
import { ForwarderService } from './syslog/forwarder.service.js';
import { Forwarding } from './syslog/forwarding.js';
import { UnfinishedExports } from './unfinished-exports.js';

@Module({
  imports: [OutboundModule],
  providers: [
    SealerService,
    Sealing,
    BucketAnchors,
    UrlAnchors,
    Anchoring,
    LedgerGauges,
    ExportBucket,
    ExportFile,
    ExportService,
    ExportProcessor,
    UnfinishedExports,
    ForwarderService,
    Forwarding,
  ],
  exports: [SealerService, Sealing, Anchoring, LedgerGauges, UnfinishedExports],
})
export class AuditWorkerModule {}
