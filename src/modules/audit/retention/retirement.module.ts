import { Module } from '@nestjs/common';
import { RetirementService } from './retirement.service.js';

/** For the operator's command; neither API nor worker has it. */
@Module({ providers: [RetirementService], exports: [RetirementService] })
export class RetirementModule {}
