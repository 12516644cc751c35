import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { RequestInfo } from '../../../platform/authorization/principal.js';
import { Public } from '../../../platform/authorization/requires.js';
import { CurrentRequest } from '../../../platform/http/request-context.js';
import { CodesService } from '../codes.service.js';
import { SessionsService } from '../sessions.service.js';
import { SignInService } from '../sign-in.service.js';
import { StaffDoors } from '../staff-doors.js';
import {
  type StaffCodeSent,
  staffCodeSentSchema,
  type StaffRefresh,
  staffRefreshSchema,
  type StaffSendCode,
  staffSendCodeSchema,
  type StaffSignedOut,
  staffSignedOutSchema,
  type StaffTokens,
  staffTokensSchema,
  type StaffVerifyCode,
  staffVerifyCodeSchema,
  toStaffTokens,
} from '../staff-sign-in.schemas.js';

@ApiTags('Staff sign-in')
@Controller('api/v1/staff/auth')
export class StaffSignInController {
  constructor(
    private readonly doors: StaffDoors,
    private readonly codes: CodesService,
    private readonly signIn: SignInService,
    private readonly sessions: SessionsService,
  ) {}

  @Post('send-code')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:send-code')
  @ApiOperation({
    summary: 'Send a one-time code to an address of staff; the answer is the same for any address',
  })
  @ApiResponse({ status: 200, description: 'Sent, if it is one', standardSchema: staffCodeSentSchema })
  async send(
    @Body({ schema: staffSendCodeSchema }) { organization_id, email }: StaffSendCode,
    @CurrentRequest() request: RequestInfo,
  ): Promise<StaffCodeSent> {
    const door = await this.doors.open(organization_id, request);
    await this.codes.send(door, { channel: 'email', address: email }, request);
    return { message: 'If this address is known here, a code is on its way.' };
  }

  @Post('verify-code')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:verify-code')
  @ApiOperation({ summary: 'A session for the newest code: good for 10 minutes, five tries, once' })
  @ApiResponse({ status: 200, description: 'Tokens of the session', standardSchema: staffTokensSchema })
  async verify(
    @Body({ schema: staffVerifyCodeSchema }) { organization_id, email, code }: StaffVerifyCode,
    @CurrentRequest() request: RequestInfo,
  ): Promise<StaffTokens> {
    const door = await this.doors.open(organization_id, request);
    const contact = { channel: 'email', address: email } as const;
    return toStaffTokens(await this.signIn.verifyCode(door, contact, code, request));
  }

  @Post('refresh')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sessions:refresh')
  @ApiOperation({ summary: 'The next pair of tokens; a refresh token that is used twice ends its session' })
  @ApiResponse({ status: 200, description: 'Tokens of the session', standardSchema: staffTokensSchema })
  async refresh(
    @Body({ schema: staffRefreshSchema }) { organization_id, refresh_token }: StaffRefresh,
    @CurrentRequest() request: RequestInfo,
  ): Promise<StaffTokens> {
    const door = await this.doors.open(organization_id, request);
    return toStaffTokens(await this.sessions.refresh(door, refresh_token, request));
  }

  @Post('logout')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sessions:end')
  @ApiOperation({ summary: 'End the session of a refresh token; the answer is the same for any token' })
  @ApiResponse({ status: 200, description: 'Ended, if there was one', standardSchema: staffSignedOutSchema })
  async logout(
    @Body({ schema: staffRefreshSchema }) { organization_id, refresh_token }: StaffRefresh,
    @CurrentRequest() request: RequestInfo,
  ): Promise<StaffSignedOut> {
    const door = await this.doors.open(organization_id, request);
    await this.sessions.end(door, refresh_token, request);
    return { message: 'Signed out.' };
  }
}
