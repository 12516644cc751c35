import { Body, Controller, Delete, Get, Header, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import { ExamQueries } from '../exams.queries.js';
import {
  type Account,
  accountSchema,
  type ConfirmedExam,
  confirmedExamSchema,
  type CreateExam,
  createExamSchema,
  type ExamDetail,
  examDetailSchema,
  type ExamPage,
  examPageSchema,
  type IssuedExam,
  issuedExamSchema,
  type ListExams,
  listExamsSchema,
  type Share,
  type ShareChangeRequest,
  shareChangeSchema,
  shareSchema,
} from '../exams.schemas.js';
import { ExamsService } from '../exams.service.js';
import { ShareSettingsService } from '../share-settings.service.js';

@ApiTags('Exams')
@Controller('api/v1')
export class ExamsController {
  constructor(
    private readonly exams: ExamsService,
    private readonly queries: ExamQueries,
    private readonly shares: ShareSettingsService,
  ) {}

  @Post('exams')
  @Header('cache-control', 'no-store')
  @Requires('exams:create')
  @ApiOperation({ summary: 'Create an exam and get a presigned PUT for each file' })
  @TakesIdempotencyKey()
  @ApiResponse({
    status: 201,
    description: 'One URL a file, good for 900 s',
    standardSchema: issuedExamSchema,
  })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createExamSchema }) input: CreateExam,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<IssuedExam> {
    return this.exams.create(caller, input, key);
  }

  @Post('exams/:id/urls')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('exams:issue-urls')
  @ApiOperation({ summary: 'Fresh URLs, only for the files that have not landed' })
  @ApiResponse({ status: 200, description: 'One URL a missing file', standardSchema: issuedExamSchema })
  issueUrls(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<IssuedExam> {
    return this.exams.issueUrls(caller, id);
  }

  @Post('exams/:id/confirm')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('exams:confirm')
  @ApiOperation({ summary: 'Mark the exam ready; the same answer each time' })
  @ApiResponse({ status: 200, description: 'Every file has landed', standardSchema: confirmedExamSchema })
  @ApiResponse({ status: 409, description: 'Files are missing; the message names them' })
  confirm(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<ConfirmedExam> {
    return this.exams.confirm(caller, id);
  }

  @Get('exams')
  @Header('cache-control', 'no-store')
  @Requires('exams:list')
  @ApiOperation({ summary: 'Exams, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: examPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listExamsSchema }) query: ListExams,
  ): Promise<ExamPage> {
    return this.queries.list(caller, query);
  }

  @Get('exams/:id')
  @Header('cache-control', 'no-store')
  @Requires('exams:read')
  @ApiOperation({ summary: 'An exam with its files and what became of each' })
  @ApiResponse({ status: 200, description: 'The exam', standardSchema: examDetailSchema })
  detail(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ExamDetail> {
    return this.queries.detail(caller, id);
  }

  @Delete('exams/:id')
  @HttpCode(204)
  @Requires('exams:delete')
  @ApiOperation({ summary: 'Delete an exam; its objects are cleaned up in the background' })
  @ApiResponse({ status: 204, description: 'Deleted' })
  remove(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.exams.remove(caller, id);
  }

  @Post('exams/:id/share')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('exams:share')
  @ApiOperation({ summary: 'Rotate the share link, or set its end or password' })
  @ApiResponse({ status: 200, description: 'The link as it is now', standardSchema: shareSchema })
  share(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: shareChangeSchema }) change: ShareChangeRequest,
  ): Promise<Share> {
    return this.shares.change(caller, id, change);
  }

  @Delete('exams/:id/share')
  @HttpCode(204)
  @Requires('exams:share')
  @ApiOperation({ summary: 'Revoke the share link' })
  @ApiResponse({ status: 204, description: 'The link leads nowhere' })
  unshare(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.shares.revoke(caller, id);
  }

  @Get('me')
  @Header('cache-control', 'no-store')
  @Requires('account:read')
  @ApiOperation({ summary: "The credential's account, scopes and storage used" })
  @ApiResponse({ status: 200, description: 'The account', standardSchema: accountSchema })
  me(@CurrentCaller() caller: Caller): Promise<Account> {
    return this.queries.account(caller);
  }
}
