import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import { IdentitiesService } from '../identities.service.js';
import {
  type IdentityPage,
  identityPageSchema,
  identitySchema,
  type IdentityView,
  type LinkIdentity,
  linkIdentitySchema,
  type ListIdentities,
  listIdentitiesSchema,
} from '../identity-providers.schemas.js';

@ApiTags('Identity providers')
@Controller('api/v1/admin/users/:id/identities')
export class IdentitiesController {
  constructor(private readonly identities: IdentitiesService) {}

  @Get()
  @Requires('users:read')
  @ApiOperation({ summary: 'Who somebody of staff is at identity providers, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: identityPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Query({ schema: listIdentitiesSchema }) query: ListIdentities,
  ): Promise<IdentityPage> {
    return this.identities.list(caller, id, query);
  }

  @Post()
  @Requires('users:link-identity')
  @ApiOperation({ summary: 'Link an identity: whoever it is of comes in as this user' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The identity', standardSchema: identitySchema })
  link(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: linkIdentitySchema }) input: LinkIdentity,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<IdentityView> {
    return this.identities.link(caller, id, input, key);
  }

  @Delete(':identity_id')
  @HttpCode(204)
  @Requires('users:unlink-identity')
  @ApiOperation({ summary: 'Unlink it; sessions the user began at its issuer end at once' })
  @ApiResponse({ status: 204, description: 'It is no way in any more' })
  unlink(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Param('identity_id', { schema: uuid }) identityId: string,
  ): Promise<void> {
    return this.identities.unlink(caller, id, identityId);
  }
}
