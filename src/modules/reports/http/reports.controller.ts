import { Body, Controller, Header, Headers, HttpCode, Post, Res, StreamableFile } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { AccessReportService } from '../access-report.service.js';
import { DisclosureReportService } from '../disclosure-report.service.js';
import type { CsvReport } from '../report.sources.js';
import {
  type AccessReport,
  accessReportSchema,
  accessSchema,
  type AskAccess,
  type AskDisclosures,
  type DisclosureReport,
  disclosureReportSchema,
  disclosuresSchema,
} from '../reports.schemas.js';

const CSV = 'text/csv';

/** Reports for an auditor. Asked for by POST, since a StudyInstanceUID must be in no URL. */
@ApiTags('Audit')
@Controller('api/v1/audit/reports')
export class ReportsController {
  constructor(
    private readonly access: AccessReportService,
    private readonly disclosures: DisclosureReportService,
  ) {}

  @Post('access')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('audit:report-access')
  @ApiProduces('application/json', CSV)
  @ApiOperation({ summary: 'Who saw or changed anything of a study, a case or a file' })
  @ApiResponse({ status: 200, description: 'Newest first', standardSchema: accessReportSchema })
  async reportAccess(
    @CurrentCaller() caller: Caller,
    @Body({ schema: accessSchema }) asked: AskAccess,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccessReport | StreamableFile> {
    if (!wantsCsv(asked, accept)) return this.access.page(caller, asked);
    return file(reply, await this.access.csv(caller, asked), 'access');
  }

  @Post('disclosures')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('audit:report-disclosures')
  @ApiProduces('application/json', CSV)
  @ApiOperation({ summary: 'What of a patient, a study, a case or a file may have gone to somebody else' })
  @ApiResponse({ status: 200, description: 'Newest first', standardSchema: disclosureReportSchema })
  async reportDisclosures(
    @CurrentCaller() caller: Caller,
    @Body({ schema: disclosuresSchema }) asked: AskDisclosures,
    @Headers('accept') accept: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DisclosureReport | StreamableFile> {
    if (!wantsCsv(asked, accept)) return this.disclosures.page(caller, asked);
    return file(reply, await this.disclosures.csv(caller, asked), 'disclosures');
  }
}

const wantsCsv = ({ format }: { format?: 'json' | 'csv' | undefined }, accept = ''): boolean =>
  format === undefined ? accept.split(/[;,]/)[0]!.trim().toLowerCase() === CSV : format === 'csv';

/** `x-complete-since` is the `complete_since` of JSON; the notes are the same in every answer. */
function file(reply: FastifyReply, { content, completeSince }: CsvReport, name: string): StreamableFile {
  if (completeSince) reply.header('x-complete-since', completeSince.toISOString());
  return new StreamableFile(content, {
    type: `${CSV}; charset=utf-8; header=present`,
    disposition: `attachment; filename="${name}.csv"`,
  });
}
