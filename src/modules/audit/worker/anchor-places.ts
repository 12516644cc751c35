import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../../../platform/clock/clock.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { auditAnchorConflicts } from '../../../platform/health/metrics.js';
import { GuardedFetch } from '../../../platform/outbound/guarded-fetch.js';
import { signWebhook } from '../../../platform/outbound/webhook-signature.js';
import { StorageService } from '../../../platform/storage/storage.service.js';
import { anchorKey, anchorText, MAX_ANCHOR_BYTES } from '../anchor.js';
import type { SealHead, Signed } from '../seal.js';

const DAY_MS = 24 * 3600_000;
/** A receiver that hangs holds up a pass of the reconciler; in milliseconds. */
const PATIENCE_MS = 5_000;

/** Somewhere that whoever can change the database cannot change. */
export interface AnchorPlace {
  /** As it stands in `audit_anchor`. */
  readonly name: 'bucket' | 'url';
  /** Takes a head there; again, when it is not known whether it has come there. */
  take(head: SealHead & Signed): Promise<void>;
}

/** Another head than ours lies under its number. */
export class AnchorConflictError extends Error {
  override readonly name = 'AnchorConflictError';
}

/** The bucket, which keeps heads from being removed when it is told to. */
@Injectable()
export class BucketAnchors implements AnchorPlace {
  readonly name = 'bucket';

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly storage: StorageService,
    private readonly clock: Clock,
  ) {}

  /** @throws AnchorConflictError; what lies there is never written over */
  async take(head: SealHead & Signed): Promise<void> {
    const [key, text] = [anchorKey(head.seal), anchorText(head)];
    const there = await this.storage.readRange(key, 0, MAX_ANCHOR_BYTES);
    if (there) {
      if (Buffer.concat(await there.bytes.toArray()).toString() === text) return; // a process died before it had noted it
      auditAnchorConflicts.inc();
      throw new AnchorConflictError(`Another head than ours lies in the bucket as ${key}.`);
    }
    const bytes = Buffer.from(text);
    const { AUDIT_LOCK_DAYS: days } = this.config;
    if (days === undefined) return this.storage.writeBytes(key, bytes);
    await this.storage.writeLocked(key, bytes, new Date(this.clock.now().getTime() + days * DAY_MS));
  }
}

/** A receiver of the operator's choice: a signed POST (Standard Webhooks) of what lies in the bucket; any 2xx means that it was taken. */
@Injectable()
export class UrlAnchors implements AnchorPlace {
  readonly name = 'url';
  readonly available: boolean;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly outbound: GuardedFetch,
    private readonly clock: Clock,
  ) {
    this.available = config.AUDIT_ANCHOR_URL !== undefined;
  }

  async take(head: SealHead & Signed): Promise<void> {
    const { AUDIT_ANCHOR_URL: url, AUDIT_ANCHOR_SECRET: key } = this.config;
    const body = anchorText(head);
    const headers = {
      'content-type': 'application/json',
      ...signWebhook(key!, `seal-${head.seal}`, this.clock.now(), body),
    };
    const { status } = await this.outbound.fetch(url!, {
      method: 'POST',
      headers,
      body,
      timeoutMs: PATIENCE_MS,
    });
    if (status < 200 || status > 299) throw new Error(`The receiver of anchors answered ${status}.`);
  }
}
