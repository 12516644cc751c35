import { Body, Controller, Header, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { RequestInfo } from '../../../platform/authorization/principal.js';
import { Public } from '../../../platform/authorization/requires.js';
import { CurrentRequest } from '../../../platform/http/request-context.js';
import {
  type Introspection,
  introspectionSchema,
  type PresentedToken,
  presentedTokenSchema,
} from '../../auth/auth.schemas.js';
import { readClientAuthentication } from '../../auth/client-credentials.js';
import { demandForm } from '../../auth/form-body.js';
import { IntrospectionService } from '../introspection.service.js';

@ApiTags('Tokens')
@Controller()
export class IntrospectionController {
  constructor(private readonly introspection: IntrospectionService) {}

  @Post('oauth2/introspect')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('tokens:introspect')
  @ApiOperation({ summary: 'What an access token or API key is worth now (RFC 7662)' })
  @ApiResponse({
    status: 200,
    description: 'What it is, or that it is not active',
    standardSchema: introspectionSchema,
  })
  introspect(
    @Headers('authorization') authorization: string | undefined,
    @Headers('content-type') contentType: string | undefined,
    @Body({ schema: presentedTokenSchema }) body: PresentedToken,
    @CurrentRequest() request: RequestInfo,
  ): Promise<Introspection> {
    demandForm(contentType);
    return this.introspection.introspect(readClientAuthentication(authorization, body), body.token, request);
  }
}
