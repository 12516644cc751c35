import { Injectable } from '@nestjs/common';
import type { Caller } from '../authorization/principal.js';
import { Clock } from '../clock/clock.js';
import { sha256 } from '../crypto/master-key.js';
import type { SqlTransaction } from '../database/sql-transaction.js';
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
  async earlier(tx: SqlTransaction, claim: Claim): Promise<string | undefined> {
    const key = this.identify(claim);
    if (!key) return undefined;
    const lock = [key.organizationId, key.principalId, key.operation, key.hash].join(' ');
    const [held] = await tx.$queryRaw<{ free: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${lock}, 0)) AS free`;
    if (!held?.free)
      throw new ApplicationError(
        'idempotency_conflict',
        409,
        'A request with this Idempotency-Key is being processed.',
      );

    const [found] = await tx.$queryRaw<{ resource_id: string; same: boolean }[]>`
      SELECT resource_id, request_hash = decode(${hashBody(claim.body)}, 'hex') AS same FROM idempotency_key
      WHERE organization_id = ${key.organizationId}::uuid AND principal_id = ${key.principalId}::uuid
        AND operation = ${key.operation} AND key_hash = decode(${key.hash}, 'hex')
        AND created_at > ${new Date(this.clock.now().getTime() - IDEMPOTENCY_LIFETIME_MS)}::timestamptz`;
    if (!found) return undefined;
    if (found.same) return found.resource_id;
    throw new ApplicationError(
      'idempotency_mismatch',
      422,
      'This Idempotency-Key was used with another request body.',
    );
  }

  /** Remembers what was created, in the transaction that created it. */
  async remember(tx: SqlTransaction, claim: Claim, resourceId: string): Promise<void> {
    const key = this.identify(claim);
    if (!key) return;
    // On conflict: a key past its lifetime that was not swept yet.
    await tx.$executeRaw`
      INSERT INTO idempotency_key (organization_id, principal_id, operation, key_hash, request_hash, resource_id, created_at)
      VALUES (${key.organizationId}::uuid, ${key.principalId}::uuid, ${key.operation}, decode(${key.hash}, 'hex'),
              decode(${hashBody(claim.body)}, 'hex'), ${resourceId}::uuid, ${this.clock.now()}::timestamptz)
      ON CONFLICT (organization_id, principal_id, operation, key_hash) DO UPDATE
        SET request_hash = excluded.request_hash, resource_id = excluded.resource_id, created_at = excluded.created_at`;
  }

  /**
   * Makes what a call makes, or tells what the same call made before.
   * @throws idempotency_conflict, idempotency_mismatch
   */
  async once(
    tx: SqlTransaction,
    claim: Claim,
    make: () => Promise<string>,
  ): Promise<{ id: string; replayed: boolean }> {
    const earlier = await this.earlier(tx, claim);
    if (earlier !== undefined) return { id: earlier, replayed: true };
    const id = await make();
    await this.remember(tx, claim, id);
    return { id, replayed: false };
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
      hash: sha256(key).toString('hex'),
    };
  }
}

const hashBody = (body: unknown): string => sha256(JSON.stringify(body)).toString('hex');
