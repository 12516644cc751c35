import { Body, Controller, Get, Header, Headers, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { AcceptsBasic, Requires } from '../../../platform/authorization/requires.js';
import { ReadsBody } from '../../../platform/http/reads-body.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import type { MetadataPatch } from '../../metadata/metadata-patch.js';
import { metadataPatchSchema } from '../../metadata/metadata.schemas.js';
import {
  type CreatedOrder,
  createdOrderSchema,
  type FailureReport,
  failureReportSchema,
  type ListOrders,
  listOrdersSchema,
  metadataSchema,
  type NewOrderBody,
  newOrderBodySchema,
  type NewOrderQuery,
  newOrderQuerySchema,
  type OrderDetail,
  orderDetailSchema,
  orderIdSchema,
  type OrderIds,
  orderIdsSchema,
  type OrderMetadata,
  type OrderPage,
  orderPageSchema,
  type OrderStatus,
  statusSchema,
  studyTargetSchema,
  type StudyTarget,
  type Target,
  targetSchema,
} from '../ingestion.schemas.js';
import { IngestionService } from '../ingestion.service.js';
import { toNewOrder } from '../new-order.js';
import { OrderQueries } from '../order.queries.js';

@ApiTags('Ingestion')
@AcceptsBasic()
@Controller()
export class OrdersController {
  constructor(
    private readonly ingestion: IngestionService,
    private readonly queries: OrderQueries,
  ) {}

  @Get('new-order')
  @Header('cache-control', 'no-store')
  @Requires('orders:create')
  @ReadsBody()
  @ApiOperation({
    summary: 'Create an order; metadata as JSON body, or in the query if it identifies nobody',
  })
  @ApiBody({ required: false })
  @ApiResponse({ status: 200, description: 'The order', standardSchema: createdOrderSchema })
  createByGet(
    @CurrentCaller() caller: Caller,
    @Query({ schema: newOrderQuerySchema }) query: NewOrderQuery,
    @Body({ schema: newOrderBodySchema }) body: NewOrderBody,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CreatedOrder> {
    return this.create(caller, query, body, key);
  }

  @Post('new-order')
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  @Requires('orders:create')
  @ApiOperation({ summary: 'Create an order, with metadata by DICOM keyword or tag' })
  @TakesIdempotencyKey()
  @ApiBody({ required: false })
  @ApiResponse({ status: 201, description: 'The order', standardSchema: createdOrderSchema })
  @ApiResponse({ status: 409, description: 'The id is used already in your organization' })
  createByPost(
    @CurrentCaller() caller: Caller,
    @Query({ schema: newOrderQuerySchema }) query: NewOrderQuery,
    @Body({ schema: newOrderBodySchema }) body: NewOrderBody,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CreatedOrder> {
    return this.create(caller, query, body, key);
  }

  @Patch('add-metadata')
  @Header('cache-control', 'no-store')
  @Requires('metadata:write')
  @ApiOperation({
    summary: 'Change the metadata of an order: JSON Merge Patch by DICOM keyword or tag, null removes',
  })
  @ApiResponse({ status: 200, description: 'What holds now, and from whom', standardSchema: metadataSchema })
  @ApiResponse({ status: 409, description: 'The order is closed' })
  addMetadata(
    @CurrentCaller() caller: Caller,
    @Query({ schema: targetSchema }) target: Target,
    @Body({ schema: metadataPatchSchema }) patch: MetadataPatch,
  ): Promise<OrderMetadata> {
    return this.ingestion.addMetadata(caller, target, patch);
  }

  @Get('status')
  @Header('cache-control', 'no-store')
  @Requires('orders:read')
  @ApiOperation({ summary: 'Where an order stands, by its id or by its study' })
  @ApiResponse({ status: 200, description: 'State, counts, when it closes', standardSchema: statusSchema })
  status(
    @CurrentCaller() caller: Caller,
    @Query({ schema: targetSchema }) target: Target,
  ): Promise<OrderStatus> {
    return this.queries.status(caller, target);
  }

  @Get('orderId')
  @Header('cache-control', 'no-store')
  @Requires('orders:read')
  @ApiOperation({ summary: 'The orders of a study, newest first' })
  @ApiResponse({ status: 200, description: 'Their ids', standardSchema: orderIdsSchema })
  orderIds(
    @CurrentCaller() caller: Caller,
    @Query({ schema: studyTargetSchema }) { study_uid }: StudyTarget,
  ): Promise<OrderIds> {
    return this.queries.idsOfStudy(caller, study_uid);
  }

  @Get('failure-report')
  @Header('cache-control', 'no-store')
  @Requires('orders:read')
  @ApiOperation({ summary: 'Each object of an order that was rejected, by which rule, and where in it' })
  @ApiResponse({ status: 200, description: 'The report', standardSchema: failureReportSchema })
  failures(
    @CurrentCaller() caller: Caller,
    @Query({ schema: targetSchema }) target: Target,
  ): Promise<FailureReport> {
    return this.queries.failures(caller, target);
  }

  @Get('orders')
  @Header('cache-control', 'no-store')
  @Requires('orders:list')
  @ApiOperation({ summary: 'Orders, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: orderPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listOrdersSchema }) query: ListOrders,
  ): Promise<OrderPage> {
    return this.queries.list(caller, query);
  }

  @Get('orders/:id')
  @Header('cache-control', 'no-store')
  @Requires('orders:read')
  @ApiOperation({ summary: 'An order with its studies, volumes and metadata' })
  @ApiResponse({ status: 200, description: 'The order', standardSchema: orderDetailSchema })
  detail(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: orderIdSchema }) id: string,
  ): Promise<OrderDetail> {
    return this.queries.detail(caller, id);
  }

  @Post('orders/:id/close')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('orders:close')
  @ApiOperation({
    summary: 'Close the order now instead of after the idle minute; the same answer each time',
  })
  @ApiResponse({ status: 200, description: 'Where it stands', standardSchema: statusSchema })
  close(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: orderIdSchema }) id: string,
  ): Promise<OrderStatus> {
    return this.ingestion.close(caller, id);
  }

  private async create(
    caller: Caller,
    query: NewOrderQuery,
    body: NewOrderBody,
    key: string | undefined,
  ): Promise<CreatedOrder> {
    return { order_id: await this.ingestion.create(caller, toNewOrder(query, body), key) };
  }
}
