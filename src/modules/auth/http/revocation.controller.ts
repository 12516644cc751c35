import { Body, Controller, Header, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { RequestInfo } from '../../../platform/authorization/principal.js';
import { Public } from '../../../platform/authorization/requires.js';
import { CurrentRequest } from '../../../platform/http/request-context.js';
import { type PresentedToken, presentedTokenSchema } from '../auth.schemas.js';
import { readClientAuthentication } from '../client-credentials.js';
import { demandForm } from '../form-body.js';
import { RevocationService } from '../revocation.service.js';

@ApiTags('Tokens')
@Controller()
export class RevocationController {
  constructor(private readonly revocation: RevocationService) {}

  @Post('oauth2/revoke')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('tokens:revoke')
  @ApiOperation({ summary: 'End an access token before its time (RFC 7009)' })
  @ApiResponse({ status: 200, description: 'It is not good any more, or never was the caller’s' })
  async revoke(
    @Headers('authorization') authorization: string | undefined,
    @Headers('content-type') contentType: string | undefined,
    @Body({ schema: presentedTokenSchema }) body: PresentedToken,
    @CurrentRequest() request: RequestInfo,
  ): Promise<void> {
    demandForm(contentType);
    await this.revocation.revoke(readClientAuthentication(authorization, body), body.token, request);
  }
}
