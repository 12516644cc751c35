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
import { ClientSecretsService } from '../client-secrets.service.js';
import { ClientsService } from '../clients.service.js';
import {
  type ClientPage,
  clientPageSchema,
  clientSchema,
  type ClientView,
  type CreateClient,
  createClientSchema,
  type CreatedClient,
  createdClientSchema,
  type CreatedSecret,
  createdSecretSchema,
  type ListClients,
  listClientsSchema,
  type UpdateClient,
  updateClientSchema,
} from '../credentials.schemas.js';

@ApiTags('Clients')
@UseInterceptors(EtagInterceptor)
@Controller('api/v1/admin/clients')
export class ClientsController {
  constructor(
    private readonly clients: ClientsService,
    private readonly secrets: ClientSecretsService,
  ) {}

  @Get()
  @Requires('clients:list')
  @ApiOperation({ summary: 'OAuth clients, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: clientPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listClientsSchema }) query: ListClients,
  ): Promise<ClientPage> {
    return this.clients.list(caller, query);
  }

  @Post()
  @Header('cache-control', 'no-store')
  @Requires('clients:create')
  @ApiOperation({ summary: 'Make a client, without a role; its secret is told once' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The client', standardSchema: createdClientSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createClientSchema }) input: CreateClient,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CreatedClient> {
    return this.clients.create(caller, input, key);
  }

  @Get(':id')
  @Requires('clients:read')
  @ApiOperation({ summary: 'One client, without its secrets’ values' })
  @ApiResponse({ status: 200, description: 'The client', standardSchema: clientSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ClientView> {
    return this.clients.read(caller, id);
  }

  @Patch(':id')
  @Requires('clients:update')
  @ApiOperation({ summary: 'Change its name, scopes, token lifetime or public keys' })
  @NeedsIfMatch()
  @ApiResponse({ status: 200, description: 'The client', standardSchema: clientSchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateClientSchema }) input: UpdateClient,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<ClientView> {
    return this.clients.update(caller, id, input, expected);
  }

  @Post(':id/disable')
  @HttpCode(200)
  @Requires('clients:disable')
  @ApiOperation({ summary: 'Shut it out, with every token it has' })
  @ApiResponse({ status: 200, description: 'The client', standardSchema: clientSchema })
  disable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ClientView> {
    return this.clients.disable(caller, id);
  }

  @Post(':id/enable')
  @HttpCode(200)
  @Requires('clients:enable')
  @ApiOperation({ summary: 'Let it in again' })
  @ApiResponse({ status: 200, description: 'The client', standardSchema: clientSchema })
  enable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<ClientView> {
    return this.clients.enable(caller, id);
  }

  @Post(':id/secrets')
  @Header('cache-control', 'no-store')
  @Requires('clients:create-secret')
  @ApiOperation({ summary: 'One more secret, told once; two may be live' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The secret', standardSchema: createdSecretSchema })
  createSecret(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<CreatedSecret> {
    return this.secrets.create(caller, id, key);
  }

  @Delete(':id/secrets/:secret_id')
  @HttpCode(204)
  @Requires('clients:revoke-secret')
  @ApiOperation({ summary: 'Take a secret out of service' })
  @ApiResponse({ status: 204, description: 'It is good for nothing within a second' })
  revokeSecret(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Param('secret_id', { schema: uuid }) secretId: string,
  ): Promise<void> {
    return this.secrets.revoke(caller, id, secretId);
  }
}
