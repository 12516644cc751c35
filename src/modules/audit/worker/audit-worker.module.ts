import { Module } from '@nestjs/common';
import { OutboundModule } from '../../../platform/outbound/outbound.module.js';
import '../exports.events.js';
import { BucketAnchors, UrlAnchors } from './anchor-places.js';
import { Anchoring } from './anchoring.js';
import { ExportBucket } from './export.bucket.js';
import { ExportFile } from './export.file.js';
import { ExportProcessor } from './export.processor.js';
import { ExportService } from './export.service.js';
import { AuditGauges } from './audit-gauges.js';
import { Partitions } from './partitions.js';
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
    Partitions,
    AuditGauges,
    ExportBucket,
    ExportFile,
    ExportService,
    ExportProcessor,
    UnfinishedExports,
    ForwarderService,
    Forwarding,
  ],
  exports: [Sealing, Anchoring, Partitions, AuditGauges, UnfinishedExports],
})
export class AuditWorkerModule {}
