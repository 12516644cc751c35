import http from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
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
  private readonly limitMs: number = PUT_LIMIT_MS;

  constructor(@Inject(CONFIG) config: ConfigValues) {
    // The name callers know the bucket by may lead nowhere from here.
    this.presigner = new Presigner({ ...config, S3_PUBLIC_ENDPOINT: undefined });
  }

  /** Network I/O: not inside a transaction. @throws unavailable */
  async put(key: string, blocks: readonly Buffer[], now: Date): Promise<void> {
    const size = blocks.reduce((sum, { length }) => sum + length, 0);
    const { url, method } = await this.presigner.put(key, size, now);
    const status = await this.send(url, method, size, blocks).catch((cause: unknown) => {
      throw unavailable(cause);
    });
    if (status < 200 || status > 299)
      throw unavailable(new Error(`the bucket answered a PUT with ${status}`));
  }

  /** By Node's own client: `fetch` would copy the whole body first. Returns the status. */
  private send(url: string, method: string, size: number, blocks: readonly Buffer[]): Promise<number> {
    const { request } = url.startsWith('https:') ? https : http;
    const signal = AbortSignal.timeout(this.limitMs);
    return new Promise((resolve, reject) => {
      // A connection of its own: one that was kept may be closed by the time it is used.
      const options = { method, signal, agent: false, headers: { 'content-length': size } };
      const sent = request(url, options, (answer) => {
        answer.resume();
        if (!sent.writableFinished) sent.destroy(); // it has seen enough
        resolve(answer.statusCode!);
      });
      sent.on('error', reject); // more than one, when it is destroyed with its answer there
      Readable.from(blocks).pipe(sent);
    });
  }
}
