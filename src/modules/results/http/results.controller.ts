import { Body, Controller, Get, Header, Headers, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { DOCUMENT_TYPES } from '../../../formats/document/document.js';
import type { Caller } from '../../../platform/authorization/principal.js';
import { AcceptsBasic, Requires } from '../../../platform/authorization/requires.js';
import { RawBody, type ReceivedBody, TakesRawBody } from '../../../platform/http/raw-body.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { ResultQueries } from '../result.queries.js';
import { ResultsService } from '../results.service.js';
import {
  type Acknowledge,
  type Acknowledged,
  acknowledgedSchema,
  acknowledgeSchema,
  type DeliveredResult,
  deliveredResultSchema,
  type DeliverResult,
  deliverResultSchema,
  type ListReports,
  listReportsSchema,
  type ListResults,
  listResultsSchema,
  type ResultPage,
  resultPageSchema,
} from '../results.schemas.js';

const MEDIA_TYPES = Object.keys(DOCUMENT_TYPES);

@ApiTags('Results')
@AcceptsBasic()
@Controller()
export class ResultsController {
  constructor(
    private readonly results: ResultsService,
    private readonly queries: ResultQueries,
  ) {}

  @Post('results')
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  @Requires('results:deliver')
  @TakesRawBody(...MEDIA_TYPES)
  @ApiOperation({
    summary: 'Deliver a report on an order: the body itself, up to 25 MiB, kept byte for byte',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'Makes a retry deliver nothing twice, for 24 h',
  })
  @ApiConsumes(...MEDIA_TYPES)
  @ApiBody({ schema: { type: 'string', format: 'binary' } })
  @ApiResponse({ status: 201, description: 'Verified and delivered', standardSchema: deliveredResultSchema })
  @ApiResponse({ status: 202, description: 'Taken, not verified yet', standardSchema: deliveredResultSchema })
  @ApiResponse({ status: 415, description: 'Another content type' })
  @ApiResponse({ status: 422, description: 'The content is not what its type says; `code` is the rule' })
  async deliver(
    @CurrentCaller() caller: Caller,
    @Query({ schema: deliverResultSchema }) { order_id, report_type }: DeliverResult,
    @RawBody() { mediaType, bytes }: ReceivedBody,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<DeliveredResult> {
    const report = {
      orderId: order_id,
      contentType: mediaType,
      bytes,
      ...(report_type && { reportType: report_type }),
    };
    const delivered = await this.results.deliver(caller, report, key);
    if (delivered.state === 'pending') reply.status(202);
    return delivered;
  }

  @Get('results')
  @Header('cache-control', 'no-store')
  @Requires('results:list')
  @ApiOperation({ summary: 'The results of an order or of a study, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: resultPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listResultsSchema }) query: ListResults,
  ): Promise<ResultPage> {
    return this.queries.list(caller, query);
  }

  @Get('reports')
  @Header('cache-control', 'no-store')
  @Requires('results:read')
  @ApiOperation({ summary: 'Results that nobody has acknowledged, of all orders, oldest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: resultPageSchema })
  unacknowledged(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listReportsSchema }) query: ListReports,
  ): Promise<ResultPage> {
    return this.queries.unacknowledged(caller, query);
  }

  @Post('reports')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('results:acknowledge')
  @ApiOperation({ summary: 'Acknowledge results that were fetched; the same answer each time' })
  @ApiResponse({ status: 200, description: 'Which they were', standardSchema: acknowledgedSchema })
  acknowledge(
    @CurrentCaller() caller: Caller,
    @Body({ schema: acknowledgeSchema }) { result_ids }: Acknowledge,
  ): Promise<Acknowledged> {
    return this.results.acknowledge(caller, result_ids);
  }
}
