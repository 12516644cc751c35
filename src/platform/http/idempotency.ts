import { Injectable } from '@nestjs/common';
import type { Caller } from '../authorization/principal.js';
import { Clock } from '../clock/clock.js';
import { sha256 } from '../crypto/master-key.js';
import type { Transaction } from '../database/database.service.js';
import { ApplicationError, validationError } from '../errors/application-error.js';

/** How long a key is remembered, in milliseconds. */
export const IDEMPOTENCY_LIFETIME_MS = 24 * 3600 * 1000;

const KEY = /^[\x21-\x7e]{1,255}$/;

interface Claim {
  caller: Caller;
  operation: string;
  /** The header's value; absent, nothing is remembered. */
  key: string | undefined;
  body: unknown;
}

/**
 * `Idempotency-Key` for calls that create: per organization, principal and operation. The claim and the created row
 * commit together, so a replay finds either both or neither. Only the id is kept; URLs are signed afresh.
 */
@Injectable()
export class IdempotencyService {
  constructor(private readonly clock: Clock) {}

  /** The id an earlier call with this key created, if any. 409 while that call runs, 422 when its body was another. */
  async earlier(tx: Transaction, claim: Claim): Promise<string | undefined> {
    const where = this.identify(claim);
    if (!where) return undefined;
    const lock = [
      where.organizationId,
      where.principalId,
      where.operation,
      where.keyHash.toString('hex'),
    ].join(' ');
    const [held] = await tx.$queryRaw<
      { free: boolean }[]
    >`SELECT pg_try_advisory_xact_lock(hashtextextended(${lock}, 0)) AS free`;
    if (!held?.free)
      throw new ApplicationError(
        'idempotency_conflict',
        409,
        'A request with this Idempotency-Key is being processed.',
      );

    const found = await tx.idempotencyKey.findUnique({
      where: {
        organizationId_principalId_operation_keyHash: { ...where, keyHash: Uint8Array.from(where.keyHash) },
      },
    });
    if (!found || found.createdAt.getTime() < this.clock.now().getTime() - IDEMPOTENCY_LIFETIME_MS)
      return undefined;
    if (Buffer.from(found.requestHash).equals(hashBody(claim.body))) return found.resourceId;
    throw new ApplicationError(
      'idempotency_mismatch',
      422,
      'This Idempotency-Key was used with another request body.',
    );
  }

  /** Remembers what was created, in the transaction that created it. */
  async remember(tx: Transaction, claim: Claim, resourceId: string): Promise<void> {
    const where = this.identify(claim);
    if (!where) return;
    const key = { ...where, keyHash: Uint8Array.from(where.keyHash) };
    const outcome = {
      requestHash: Uint8Array.from(hashBody(claim.body)),
      resourceId,
      createdAt: this.clock.now(),
    };
    await tx.idempotencyKey.upsert({
      where: { organizationId_principalId_operation_keyHash: key },
      create: { ...key, ...outcome },
      update: outcome, // a key past its lifetime that was not swept yet
    });
  }

  private identify({ caller, operation, key }: Claim) {
    if (key === undefined) return undefined;
    if (!KEY.test(key))
      throw validationError([
        { path: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' },
      ]);
    return {
      organizationId: caller.principal.organizationId,
      principalId: caller.principal.id,
      operation,
      keyHash: sha256(key),
    };
  }
}

const hashBody = (body: unknown): Buffer => sha256(JSON.stringify(body));
