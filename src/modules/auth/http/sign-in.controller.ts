import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Portal, RequestInfo } from '../../../platform/authorization/principal.js';
import { NeedsPortalKey, Public } from '../../../platform/authorization/requires.js';
import { CurrentPortal, CurrentRequest } from '../../../platform/http/request-context.js';
import { CodesService } from '../codes.service.js';
import { patientsDoor } from '../door.js';
import { DONE } from '../portal.schemas.js';
import { SessionsService } from '../sessions.service.js';
import {
  type CodeSent,
  codeSentSchema,
  contactOf,
  type RefreshToken,
  refreshTokenSchema,
  type SendCode,
  sendCodeSchema,
  type SignedIn,
  signedInSchema,
  type SignedOut,
  signedOutSchema,
  type VerifyCode,
  verifyCodeSchema,
} from '../sign-in.schemas.js';
import { SignInService } from '../sign-in.service.js';

@ApiTags('Patient portal')
@Controller('api/v1/users/auth')
@NeedsPortalKey()
export class SignInController {
  constructor(
    private readonly codes: CodesService,
    private readonly signIn: SignInService,
    private readonly sessions: SessionsService,
  ) {}

  @Post('send-otp')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:send-code')
  @ApiOperation({
    summary: 'Send a one-time code to a patient’s address; the answer is the same for any address',
  })
  @ApiResponse({ status: 200, description: 'Sent, if it is a patient’s', standardSchema: codeSentSchema })
  async send(
    @CurrentPortal() portal: Portal,
    @Body({ schema: sendCodeSchema }) input: SendCode,
    @CurrentRequest() request: RequestInfo,
  ): Promise<CodeSent> {
    await this.codes.send(patientsDoor(portal), contactOf(input), request);
    return { ...DONE, message: 'If this address is known here, a code is on its way.' };
  }

  @Post('verify-otp')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sign-in:verify-code')
  @ApiOperation({ summary: 'A session for the newest code: good for 10 minutes, five tries, once' })
  @ApiResponse({ status: 200, description: 'Tokens of the session', standardSchema: signedInSchema })
  async verify(
    @CurrentPortal() portal: Portal,
    @Body({ schema: verifyCodeSchema }) input: VerifyCode,
    @CurrentRequest() request: RequestInfo,
  ): Promise<SignedIn> {
    const { code } = input;
    return {
      ...DONE,
      ...(await this.signIn.verifyCode(patientsDoor(portal), contactOf(input), code, request)),
    };
  }

  @Post('refresh-token')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sessions:refresh')
  @ApiOperation({ summary: 'The next pair of tokens; a refresh token that is used twice ends its session' })
  @ApiResponse({ status: 200, description: 'Tokens of the session', standardSchema: signedInSchema })
  async refresh(
    @CurrentPortal() portal: Portal,
    @Body({ schema: refreshTokenSchema }) { refresh_token }: RefreshToken,
    @CurrentRequest() request: RequestInfo,
  ): Promise<SignedIn> {
    return { ...DONE, ...(await this.sessions.refresh(patientsDoor(portal), refresh_token, request)) };
  }

  @Post('logout')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('sessions:end')
  @ApiOperation({ summary: 'End the session of a refresh token; the answer is the same for any token' })
  @ApiResponse({ status: 200, description: 'Ended, if there was one', standardSchema: signedOutSchema })
  async logout(
    @CurrentPortal() portal: Portal,
    @Body({ schema: refreshTokenSchema }) { refresh_token }: RefreshToken,
    @CurrentRequest() request: RequestInfo,
  ): Promise<SignedOut> {
    await this.sessions.end(patientsDoor(portal), refresh_token, request);
    return DONE;
  }
}
