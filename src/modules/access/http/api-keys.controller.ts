import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { EtagInterceptor, type ExpectedVersion, IfMatch, NeedsIfMatch } from '../../../platform/http/etag.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type ApiKeyPage,
  apiKeyPageSchema,
  apiKeySchema,
  type ApiKeyView,
  type CreateApiKey,
  createApiKeySchema,
  type ListApiKeys,
  listApiKeysSchema,
  type ToldApiKey,
  toldApiKeySchema,
  type UpdateApiKey,
  updateApiKeySchema,
} from '../credentials.schemas.js';
import { ManagedApiKeysService } from '../managed-api-keys.service.js';

@ApiTags('API keys')
@UseInterceptors(EtagInterceptor)
@Controller('api/v1/admin/api-keys')
export class ApiKeysController {
  constructor(private readonly keys: ManagedApiKeysService) {}

  @Get()
  @Requires('api-keys:list')
  @ApiOperation({ summary: 'API keys and portals’ keys, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: apiKeyPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listApiKeysSchema }) query: ListApiKeys,
  ): Promise<ApiKeyPage> {
    return this.keys.list(caller, query);
  }

  @Post()
  @Header('cache-control', 'no-store')
  @Requires('api-keys:create')
  @ApiOperation({ summary: 'Make a key, without a role; it is told once' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The key', standardSchema: toldApiKeySchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createApiKeySchema }) input: CreateApiKey,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<ToldApiKey> {
    return this.keys.create(caller, input, key);
  }

  @Get(':id')
  @Requires('api-keys:read')
  @ApiOperation({ summary: 'One key, without its value' })
  @ApiResponse({ status: 200, description: 'The key', standardSchema: apiKeySchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ApiKeyView> {
    return this.keys.read(caller, id);
  }

  @Patch(':id')
  @Requires('api-keys:update')
  @ApiOperation({ summary: 'Change its name or scopes' })
  @NeedsIfMatch()
  @ApiResponse({ status: 200, description: 'The key', standardSchema: apiKeySchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateApiKeySchema }) input: UpdateApiKey,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<ApiKeyView> {
    return this.keys.update(caller, id, input, expected);
  }

  @Post(':id/rotate')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('api-keys:rotate')
  @ApiOperation({ summary: 'Another value, told once; the one before stays good until it is retired' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 200, description: 'The key', standardSchema: toldApiKeySchema })
  rotate(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<ToldApiKey> {
    return this.keys.rotate(caller, id, key);
  }

  @Post(':id/retire-previous')
  @HttpCode(200)
  @Requires('api-keys:retire-previous')
  @ApiOperation({ summary: 'Take the value before the last rotation out of service' })
  @ApiResponse({ status: 200, description: 'The key', standardSchema: apiKeySchema })
  retirePrevious(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<ApiKeyView> {
    return this.keys.retirePrevious(caller, id);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('api-keys:revoke')
  @ApiOperation({ summary: 'Take a key out of service for ever' })
  @ApiResponse({ status: 204, description: 'It is good for nothing within a second' })
  revoke(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.keys.revoke(caller, id);
  }
}
