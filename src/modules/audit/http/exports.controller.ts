import { Body, Controller, Get, Header, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type CreatedExport,
  createdExportSchema,
  type CreateExport,
  createExportSchema,
  type ExportPage,
  exportPageSchema,
  exportSchema,
  type ExportView,
  type ListExports,
  listExportsSchema,
} from '../exports.schemas.js';
import { ExportsService } from '../exports.service.js';

@ApiTags('Audit')
@Controller('api/v1/audit/exports')
export class ExportsController {
  constructor(private readonly exports: ExportsService) {}

  @Post()
  @HttpCode(202)
  @Requires('audit:create-export')
  @ApiOperation({
    summary: 'Have sealed events of the ledger written into a file, with a manifest that proves them',
  })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 202, description: 'It is queued', standardSchema: createdExportSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createExportSchema }) input: CreateExport,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CreatedExport> {
    return this.exports.create(caller, input, key);
  }

  @Get()
  @Requires('audit:list-exports')
  @ApiOperation({ summary: 'Exports of the ledger, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: exportPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listExportsSchema }) query: ListExports,
  ): Promise<ExportPage> {
    return this.exports.list(caller, query);
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  @Requires('audit:read-export')
  @ApiOperation({ summary: 'How far an export is, and where it can be fetched' })
  @ApiResponse({ status: 200, description: 'The export', standardSchema: exportSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ExportView> {
    return this.exports.read(caller, id);
  }
}
