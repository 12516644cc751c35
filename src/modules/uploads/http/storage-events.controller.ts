import { timingSafeEqual } from 'node:crypto';
import { Body, Controller, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Public } from '../../../platform/authorization/requires.js';
import type { RequestInfo } from '../../../platform/authorization/principal.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { sha256 } from '../../../platform/crypto/master-key.js';
import { notFound } from '../../../platform/errors/application-error.js';
import { CurrentRequest } from '../../../platform/http/request-context.js';
import { credentialRequired, invalidToken } from '../../auth/auth.errors.js';
import { parseStorageEvents } from '../storage-events.js';
import { StorageEventsService } from '../storage-events.service.js';
import { type Notified, notifiedSchema } from '../uploads.schemas.js';

/** What the bucket says has been written. Switched on by STORAGE_EVENTS_SECRET. */
@ApiTags('Operations')
@Controller('internal')
export class StorageEventsController {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly events: StorageEventsService,
  ) {}

  @Post('storage-events')
  @HttpCode(200)
  @Public('uploads:notify')
  @ApiOperation({
    summary: 'Notification of a bucket (Amazon S3, SNS, EventBridge, Cloudflare R2, Ceph)',
    description:
      'With the shared secret as bearer token, or as the password of HTTP Basic. Without a configured secret: 404.',
  })
  @ApiBody({ schema: { type: 'object' } })
  @ApiResponse({
    status: 200,
    description: 'Objects that are there have landed',
    standardSchema: notifiedSchema,
  })
  async notify(
    @Headers('authorization') authorization: string | undefined,
    @Body() body: unknown,
    @CurrentRequest() request: RequestInfo,
  ): Promise<Notified> {
    this.admit(authorization);
    return { landed: await this.events.notice(parseStorageEvents(body), request) };
  }

  private admit(authorization: string | undefined): void {
    const { STORAGE_EVENTS_SECRET: secret } = this.config;
    if (secret === undefined) throw notFound();
    if (authorization === undefined) throw credentialRequired(true);
    if (!timingSafeEqual(sha256(secretIn(authorization)), sha256(secret))) throw invalidToken();
  }
}

/** Some buckets can only be given a URL, with user and password in it. */
function secretIn(authorization: string): string {
  const [, scheme, value = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? [];
  if (scheme?.toLowerCase() !== 'basic') return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return pair.slice(pair.indexOf(':') + 1);
}
