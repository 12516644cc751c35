import { Module } from '@nestjs/common';
import { AccessReportService } from './access-report.service.js';
import { DisclosureReportService } from './disclosure-report.service.js';
import './reports.policy.js';
import { ReportSources } from './report.sources.js';

const SERVICES = [AccessReportService, DisclosureReportService];

@Module({ providers: [ReportSources, ...SERVICES], exports: SERVICES })
export class ReportsModule {}
