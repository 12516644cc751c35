import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { unavailable } from '../../platform/errors/application-error.js';
import { Presigner } from '../../platform/storage/presigner.js';

/** Longest a PUT may take, in milliseconds. */
const PUT_LIMIT_MS = 30_000;

/**
 * Puts bytes that came to us where callers put theirs, and as they do, by a presigned URL: only the signer's key may
 * write to `staging/`; the key of the API may not (deploy/iam).
 */
@Injectable()
export class StagingWriter {
  private readonly presigner: Presigner;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    // The name callers know the bucket by may lead nowhere from here.
    this.presigner = new Presigner({ ...config, S3_PUBLIC_ENDPOINT: undefined });
  }

  /** Network I/O: not inside a transaction. @throws unavailable */
  async put(key: string, bytes: Buffer<ArrayBuffer>, now: Date): Promise<void> {
    const { url, method } = await this.presigner.put(key, bytes.length, now);
    const signal = AbortSignal.timeout(PUT_LIMIT_MS);
    const response = await fetch(url, { method, body: bytes, signal, redirect: 'error' }).catch(
      (cause: unknown) => {
        throw unavailable(cause);
      },
    );
    await response.body?.cancel();
    if (!response.ok) throw unavailable(new Error(`the bucket answered a PUT with ${response.status}`));
  }
}
