import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type HoldPage,
  holdPageSchema,
  holdSchema,
  type HoldView,
  type ListHolds,
  listHoldsSchema,
  type PlaceHold,
  placeHoldSchema,
} from '../holds.schemas.js';
import { HoldsService } from '../holds.service.js';

@ApiTags('Audit')
@Controller('api/v1/audit/holds')
export class HoldsController {
  constructor(private readonly holds: HoldsService) {}

  @Post()
  @Requires('audit:place-hold')
  @ApiOperation({ summary: 'Keep events, for a matter, until the hold is released' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The hold', standardSchema: holdSchema })
  place(
    @CurrentCaller() caller: Caller,
    @Body({ schema: placeHoldSchema }) input: PlaceHold,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<HoldView> {
    return this.holds.place(caller, input, key);
  }

  @Get()
  @Requires('audit:list-holds')
  @ApiOperation({ summary: 'Legal holds, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: holdPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listHoldsSchema }) query: ListHolds,
  ): Promise<HoldPage> {
    return this.holds.list(caller, query);
  }

  @Get(':id')
  @Requires('audit:read-hold')
  @ApiOperation({ summary: 'One legal hold, by its id' })
  @ApiResponse({ status: 200, description: 'The hold', standardSchema: holdSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<HoldView> {
    return this.holds.read(caller, id);
  }

  @Post(':id/release')
  @HttpCode(200)
  @Requires('audit:release-hold')
  @ApiOperation({ summary: 'Release a legal hold, for good' })
  @ApiResponse({ status: 200, description: 'The hold, released', standardSchema: holdSchema })
  release(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<HoldView> {
    return this.holds.release(caller, id);
  }
}
