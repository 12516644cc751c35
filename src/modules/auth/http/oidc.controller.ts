import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller, RequestInfo } from '../../../platform/authorization/principal.js';
import { Public, Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller, CurrentRequest } from '../../../platform/http/request-context.js';
import {
  type FinishLink,
  finishLinkSchema,
  type FinishOidc,
  finishOidcSchema,
  type IdentityLinked,
  identityLinkedSchema,
  type OidcStarted,
  oidcStartedSchema,
  type StartLink,
  startLinkSchema,
  type StartOidc,
  startOidcSchema,
} from '../oidc.schemas.js';
import { OidcSignInService } from '../oidc-sign-in.service.js';
import { OwnIdentitiesService } from '../own-identities.service.js';
import { StaffDoors } from '../staff-doors.js';
import { type StaffTokens, staffTokensSchema, toStaffTokens } from '../staff-sign-in.schemas.js';

@ApiTags('Staff sign-in')
@Controller('api/v1/staff/auth/oidc')
export class OidcController {
  constructor(
    private readonly doors: StaffDoors,
    private readonly signIn: OidcSignInService,
    private readonly own: OwnIdentitiesService,
  ) {}

  @Post('start')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:start-oidc')
  @ApiOperation({ summary: 'Begin a sign-in with an identity provider (OpenID Connect)' })
  @ApiResponse({ status: 200, description: 'Where to send the browser', standardSchema: oidcStartedSchema })
  async start(
    @Body({ schema: startOidcSchema }) { organization_id, ...input }: StartOidc,
    @CurrentRequest() request: RequestInfo,
  ): Promise<OidcStarted> {
    return this.signIn.start(await this.doors.open(organization_id, request), input);
  }

  @Post('finish')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:finish-oidc')
  @ApiOperation({ summary: 'A session for what the provider sent the browser back with' })
  @ApiResponse({ status: 200, description: 'Tokens of the session', standardSchema: staffTokensSchema })
  async finish(
    @Body({ schema: finishOidcSchema }) { organization_id, ...input }: FinishOidc,
    @CurrentRequest() request: RequestInfo,
  ): Promise<StaffTokens> {
    const door = await this.doors.open(organization_id, request);
    return toStaffTokens(await this.signIn.finish(door, input, request));
  }

  @Post('link')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('sign-in:start-link')
  @ApiOperation({ summary: 'Begin to link your account at an identity provider; staff who are signed in' })
  @ApiResponse({ status: 200, description: 'Where to send the browser', standardSchema: oidcStartedSchema })
  startLink(
    @CurrentCaller() caller: Caller,
    @Body({ schema: startLinkSchema }) input: StartLink,
  ): Promise<OidcStarted> {
    return this.own.start(caller, input);
  }

  @Post('link/finish')
  @Header('cache-control', 'no-store')
  @Requires('sign-in:link-identity')
  @ApiOperation({ summary: 'Link it: from then on it is a way in' })
  @ApiResponse({ status: 201, description: 'The identity', standardSchema: identityLinkedSchema })
  finishLink(
    @CurrentCaller() caller: Caller,
    @Body({ schema: finishLinkSchema }) input: FinishLink,
  ): Promise<IdentityLinked> {
    return this.own.finish(caller, input);
  }
}
