import { Body, Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { ApplicationError } from '../../../platform/errors/application-error.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import {
  type ListSeals,
  listSealsSchema,
  type SealKeySet,
  sealKeysSchema,
  type SealPage,
  sealPageSchema,
  type Verification,
  verificationSchema,
  type Verify,
  verifySchema,
} from '../seals.schemas.js';
import { SealsService } from '../seals.service.js';
import { VerificationService } from '../verification.service.js';

@ApiTags('Audit')
@Controller('api/v1/audit')
export class SealsController {
  constructor(
    private readonly seals: SealsService,
    private readonly verification: VerificationService,
  ) {}

  @Get('seals')
  @Requires('audit:list-seals')
  @ApiOperation({ summary: 'The signed trees over the organization’s events, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: sealPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listSealsSchema }) query: ListSeals,
  ): Promise<SealPage> {
    return this.seals.list(caller, query);
  }

  @Get('keys')
  @Requires('audit:list-keys')
  @ApiOperation({ summary: 'The public keys that seals are signed with, newest first (RFC 7517)' })
  @ApiResponse({ status: 200, description: 'A key set', standardSchema: sealKeysSchema })
  keys(@CurrentCaller() caller: Caller): Promise<SealKeySet> {
    return this.seals.keys(caller);
  }

  @Post('verify')
  @HttpCode(200)
  @Requires('audit:verify')
  @ApiOperation({ summary: 'Compare the organization’s events with their seals' })
  @ApiResponse({ status: 200, description: 'What was found', standardSchema: verificationSchema })
  @ApiResponse({ status: 409, description: 'The ledger is being verified already, or several others are' })
  @ApiResponse({ status: 422, description: 'The interval has more events than one request verifies' })
  verify(
    @CurrentCaller() caller: Caller,
    @Body({ schema: verifySchema }) interval: Verify,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Verification> {
    const gone = new AbortController();
    if (reply.raw.closed) throw callerGone();
    reply.raw.once('close', () => gone.abort(callerGone()));
    return this.verification.verify(caller.principal.organizationId, interval, gone.signal);
  }
}

const callerGone = (): ApplicationError =>
  new ApplicationError('caller_gone', 400, 'The caller did not wait for the answer.');
