import { Module } from '@nestjs/common';
import { AuditEventsService } from '../events.service.js';
import '../exports.events.js';
import { ExportsService } from '../exports.service.js';
import { HoldsService } from '../holds.service.js';
import { SealsService } from '../seals.service.js';
import { VerificationService } from '../verification.service.js';
import { AuditEventsController } from './events.controller.js';
import { ExportsController } from './exports.controller.js';
import { HoldsController } from './holds.controller.js';
import { SealsController } from './seals.controller.js';

@Module({
  controllers: [AuditEventsController, ExportsController, HoldsController, SealsController],
  providers: [AuditEventsService, ExportsService, HoldsService, SealsService, VerificationService],
})
export class AuditHttpModule {}
