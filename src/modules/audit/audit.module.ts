import { Global, Module } from '@nestjs/common';
import './audit.policy.js';
import { AuditService } from './audit.service.js';

/** Global, because nothing in this house happens unaudited. */
@Global()
@Module({ providers: [AuditService], exports: [AuditService] })
export class AuditModule {}
