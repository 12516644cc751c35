import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import { CaseFilesService } from '../case-files.service.js';
import {
  type Attach,
  attachSchema,
  type CaseFile,
  type CaseFilePage,
  caseFilePageSchema,
  caseFileSchema,
  type CasePage,
  casePageSchema,
  caseSchema,
  type CaseView,
  type CreateCase,
  createCaseSchema,
  type ListCases,
  listCasesSchema,
  type Page,
  pageSchema,
} from '../cases.schemas.js';
import { CasesService } from '../cases.service.js';

@ApiTags('Cases')
@Controller('api/v1/admin/cases')
export class CasesController {
  constructor(
    private readonly cases: CasesService,
    private readonly files: CaseFilesService,
  ) {}

  @Post()
  @Requires('cases:create')
  @ApiOperation({ summary: 'Open a case for a patient, who may sign in from then on' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The case', standardSchema: caseSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createCaseSchema }) input: CreateCase,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CaseView> {
    return this.cases.create(caller, input, key);
  }

  @Get()
  @Requires('cases:list')
  @ApiOperation({ summary: 'Cases, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: casePageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listCasesSchema }) query: ListCases,
  ): Promise<CasePage> {
    return this.cases.list(caller, query);
  }

  @Get(':id')
  @Requires('cases:read')
  @ApiOperation({ summary: 'One case, and whose it is' })
  @ApiResponse({ status: 200, description: 'The case', standardSchema: caseSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<CaseView> {
    return this.cases.read(caller, id);
  }

  @Post(':id/close')
  @HttpCode(200)
  @Requires('cases:close')
  @ApiOperation({ summary: 'Close a case: nothing is attached to it from then on' })
  @ApiResponse({ status: 200, description: 'The case', standardSchema: caseSchema })
  close(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<CaseView> {
    return this.cases.close(caller, id);
  }

  @Get(':id/attachments')
  @Requires('attachments:list')
  @ApiOperation({ summary: 'Attachments of a case, newest first, restricted ones too' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: caseFilePageSchema })
  attachments(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Query({ schema: pageSchema }) query: Page,
  ): Promise<CaseFilePage> {
    return this.files.attachments(caller, id, query);
  }

  @Post(':id/attachments')
  @Requires('attachments:create')
  @ApiOperation({ summary: 'Attach a completed inspect file to an open case' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The attachment', standardSchema: caseFileSchema })
  attach(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: attachSchema }) input: Attach,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CaseFile> {
    return this.files.attach(caller, id, input, key);
  }
}
