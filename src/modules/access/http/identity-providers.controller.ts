import {
  Body,
  Controller,
  Get,
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
  type CreateProvider,
  createProviderSchema,
  type ListProviders,
  listProvidersSchema,
  type ProviderPage,
  providerPageSchema,
  providerSchema,
  type ProviderView,
  type UpdateProvider,
  updateProviderSchema,
} from '../identity-providers.schemas.js';
import { IdentityProvidersService } from '../identity-providers.service.js';

@ApiTags('Identity providers')
@Controller('api/v1/admin/identity-providers')
@UseInterceptors(EtagInterceptor)
export class IdentityProvidersController {
  constructor(private readonly providers: IdentityProvidersService) {}

  @Post()
  @Requires('identity-providers:create')
  @ApiOperation({ summary: 'Let staff sign in with an OpenID Connect provider' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The provider', standardSchema: providerSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createProviderSchema }) input: CreateProvider,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<ProviderView> {
    return this.providers.create(caller, input, key);
  }

  @Get()
  @Requires('identity-providers:list')
  @ApiOperation({ summary: 'Identity providers, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: providerPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listProvidersSchema }) query: ListProviders,
  ): Promise<ProviderPage> {
    return this.providers.list(caller, query);
  }

  @Get(':id')
  @Requires('identity-providers:read')
  @ApiOperation({ summary: 'One identity provider; its secret is never shown' })
  @ApiResponse({ status: 200, description: 'The provider', standardSchema: providerSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ProviderView> {
    return this.providers.read(caller, id);
  }

  @Patch(':id')
  @Requires('identity-providers:update')
  @ApiOperation({ summary: 'Change what is named; the issuer stays' })
  @NeedsIfMatch()
  @ApiResponse({ status: 200, description: 'The provider', standardSchema: providerSchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateProviderSchema }) input: UpdateProvider,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<ProviderView> {
    return this.providers.update(caller, id, input, expected);
  }

  @Post(':id/disable')
  @HttpCode(200)
  @Requires('identity-providers:disable')
  @ApiOperation({ summary: 'Let nobody in by it any more; sessions that began with it end at once' })
  @ApiResponse({ status: 200, description: 'The provider', standardSchema: providerSchema })
  disable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ProviderView> {
    return this.providers.disable(caller, id);
  }

  @Post(':id/enable')
  @HttpCode(200)
  @Requires('identity-providers:enable')
  @ApiOperation({ summary: 'Let staff in by it again' })
  @ApiResponse({ status: 200, description: 'The provider', standardSchema: providerSchema })
  enable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ProviderView> {
    return this.providers.enable(caller, id);
  }
}
