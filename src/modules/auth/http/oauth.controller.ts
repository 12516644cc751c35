import { Body, Controller, Get, Header, Headers, HttpCode, Inject, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller, RequestInfo } from '../../../platform/authorization/principal.js';
import { Public, Requires } from '../../../platform/authorization/requires.js';
import { SCOPES } from '../../../platform/authorization/scopes.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { CurrentCaller, CurrentRequest } from '../../../platform/http/request-context.js';
import { invalidRequest, unsupportedGrantType } from '../auth.errors.js';
import {
  type TokenInspection,
  type TokenRequest,
  type TokenResponse,
  tokenInspectionSchema,
  tokenRequestSchema,
  tokenResponseSchema,
} from '../auth.schemas.js';
import { readClientAuthentication } from '../client-credentials.js';
import { demandForm } from '../form-body.js';
import { ASSERTION_ALGORITHMS } from '../jwks.schemas.js';
import { SIGNING_ALGORITHM } from '../signing-key.js';
import { SigningKeysService } from '../signing-keys.service.js';
import { TokensService } from '../tokens.service.js';

/** How a client may say who it is, at each route that asks. */
const CLIENT_AUTHENTICATION = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const tokenQuerySchema = tokenRequestSchema.pick({ grant_type: true, scope: true }).strict();

@ApiTags('Tokens')
@Controller()
export class OauthController {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly tokens: TokensService,
    private readonly keys: SigningKeysService,
  ) {}

  @Post('oauth2/token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('tokens:issue')
  @ApiOperation({ summary: 'Access token for client credentials (RFC 6749)' })
  @ApiResponse({ status: 200, description: 'A token', standardSchema: tokenResponseSchema })
  issue(
    @Headers('authorization') authorization: string | undefined,
    @Headers('content-type') contentType: string | undefined,
    @Body({ schema: tokenRequestSchema.optional() }) body: TokenRequest | undefined,
    @CurrentRequest() request: RequestInfo,
  ): Promise<TokenResponse> {
    demandForm(contentType);
    if (!body?.grant_type) throw invalidRequest('grant_type is missing.');
    return this.grant(authorization, body, request);
  }

  @Get('auth/token')
  @Header('cache-control', 'no-store')
  @Public('tokens:issue')
  @ApiOperation({ summary: 'The same by GET, with HTTP Basic only' })
  @ApiResponse({ status: 200, description: 'A token', standardSchema: tokenResponseSchema })
  issueByGet(
    @Headers('authorization') authorization: string | undefined,
    @Query({ schema: tokenQuerySchema }) query: TokenRequest,
    @CurrentRequest() request: RequestInfo,
  ): Promise<TokenResponse> {
    return this.grant(authorization, query, request);
  }

  @Post('auth/token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('tokens:issue')
  @ApiOperation({ summary: 'The same by POST; grant_type may be left out' })
  @ApiResponse({ status: 200, description: 'A token', standardSchema: tokenResponseSchema })
  issueByPost(
    @Headers('authorization') authorization: string | undefined,
    @Body({ schema: tokenRequestSchema.nullish() }) body: TokenRequest | null | undefined,
    @CurrentRequest() request: RequestInfo,
  ): Promise<TokenResponse> {
    return this.grant(authorization, body ?? {}, request);
  }

  @Get('test-token')
  @Header('cache-control', 'no-store')
  @Requires('tokens:inspect')
  @ApiOperation({ summary: 'What the presented token is' })
  @ApiResponse({
    status: 200,
    description: 'Principal, organization, scopes, expiry',
    standardSchema: tokenInspectionSchema,
  })
  inspect(@CurrentCaller() { principal, scopes, expiresAt }: Caller): TokenInspection {
    return {
      principal: { kind: principal.kind, id: principal.id, name: principal.label },
      organization: { id: principal.organizationId },
      scopes: [...scopes],
      expires_at: expiresAt?.toISOString() ?? null,
    };
  }

  @Get('.well-known/jwks.json')
  @Header('cache-control', 'public, max-age=60')
  @Public('tokens:metadata')
  @ApiOperation({ summary: 'Keys that verify access tokens (RFC 7517)' })
  jwks(): Promise<object> {
    return this.keys.jwks();
  }

  @Get('.well-known/oauth-authorization-server')
  @Header('cache-control', 'public, max-age=60')
  @Public('tokens:metadata')
  @ApiOperation({ summary: 'Authorization server metadata (RFC 8414)' })
  metadata(): object {
    const issuer = this.config.PUBLIC_URL;
    return {
      issuer,
      token_endpoint: `${issuer}/oauth2/token`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
      token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
      introspection_endpoint: `${issuer}/oauth2/introspect`,
      introspection_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
      introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
      revocation_endpoint: `${issuer}/oauth2/revoke`,
      revocation_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
      revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
      access_token_signing_alg_values_supported: [SIGNING_ALGORITHM],
      scopes_supported: SCOPES,
      service_documentation: `${issuer}/docs`,
    };
  }

  private grant(
    authorization: string | undefined,
    given: TokenRequest,
    request: RequestInfo,
  ): Promise<TokenResponse> {
    const shown = readClientAuthentication(authorization, given);
    if ((given.grant_type ?? 'client_credentials') !== 'client_credentials') throw unsupportedGrantType();
    return this.tokens.issue(shown, given.scope, request);
  }
}
