import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type BindingPage,
  bindingPageSchema,
  bindingSchema,
  type BindingView,
  type CreateBinding,
  createBindingSchema,
  type ListBindings,
  listBindingsSchema,
} from '../bindings.schemas.js';
import { BindingsService } from '../bindings.service.js';

@ApiTags('Access')
@Controller('api/v1/admin/bindings')
export class BindingsController {
  constructor(private readonly bindings: BindingsService) {}

  @Get()
  @Requires('bindings:list')
  @ApiOperation({ summary: 'Who has which role, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: bindingPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listBindingsSchema }) query: ListBindings,
  ): Promise<BindingPage> {
    return this.bindings.list(caller, query);
  }

  @Post()
  @Requires('bindings:create')
  @ApiOperation({
    summary: 'Give a role to a user, a group, a client or an API key; all of it, or for one resource',
  })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The binding', standardSchema: bindingSchema })
  @ApiResponse({ status: 403, description: 'You do not hold what it would grant' })
  @ApiResponse({ status: 404, description: 'There is no such role, principal or resource' })
  @ApiResponse({ status: 409, description: 'It exists already, or cannot be' })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createBindingSchema }) input: CreateBinding,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<BindingView> {
    return this.bindings.create(caller, input, key);
  }

  @Get(':id')
  @Requires('bindings:read')
  @ApiOperation({ summary: 'One binding' })
  @ApiResponse({ status: 200, description: 'The binding', standardSchema: bindingSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<BindingView> {
    return this.bindings.read(caller, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('bindings:delete')
  @ApiOperation({ summary: 'Take a role away; the last owner stays' })
  @ApiResponse({ status: 204, description: 'It is gone' })
  @ApiResponse({ status: 409, description: 'Nobody would be left who may do everything' })
  remove(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.bindings.remove(caller, id);
  }
}
