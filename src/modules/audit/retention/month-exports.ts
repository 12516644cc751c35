import type { AuditExport } from '../../../generated/prisma/client.js';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import type { Transaction } from '../../../platform/database/database.service.js';
import { newId } from '../../../platform/database/id.js';
import { OPERATOR } from '../audit.actors.js';
import type { AuditService } from '../audit.service.js';
import type { Month } from './month.js';

/** Candidates that are read and verified before it is said that there is none. */
const MOST_CANDIDATES = 20;

/** The interval of an export covers the month. */
const covering = ({ from, to }: Month) => [
  { OR: [{ from: null }, { from: { lte: from } }] },
  { OR: [{ to: null }, { to: { gte: to } }] },
];

/**
 * Complete exports as NDJSON that may have all of a month, the newest first. None whose head is older than the last seal of
 * the month: it cannot have what came after, and however many of those there are, they hide none that can.
 */
export async function candidates(
  tx: Transaction,
  organizationId: string,
  month: Month,
): Promise<AuditExport[]> {
  const { seal } = await lastSealOf(tx, organizationId, month);
  const found = await tx.auditExport.findMany({
    where: {
      organizationId,
      format: 'ndjson',
      state: 'done',
      filters: { equals: {} },
      sealNumber: { gte: seal ?? 0n },
      AND: covering(month),
    },
    orderBy: [{ sealNumber: 'desc' }, { createdAt: 'desc' }, { id: 'desc' }],
    take: MOST_CANDIDATES,
  });
  return found.filter(({ manifestSha256 }) => manifestSha256 !== null);
}

/**
 * Asks for the export of a month, unless one is under way. The worker's next pass finds it.
 * @returns its id
 */
export async function requestExport(
  tx: Transaction,
  audit: AuditService,
  organizationId: string,
  month: Month,
  now: Date,
): Promise<string> {
  const { from } = month;
  const { sealedAt } = await lastSealOf(tx, organizationId, month);
  // An export holds what was sealed until shortly after its end, and the month may have been sealed later than that.
  const to = sealedAt && sealedAt > month.to ? sealedAt : month.to;
  const underWay = await tx.auditExport.findFirst({
    where: { organizationId, format: 'ndjson', from, to, filters: { equals: {} }, finishedAt: null },
  });
  if (underWay) return underWay.id;
  const id = newId();
  await tx.auditExport.create({
    data: {
      organizationId,
      id,
      format: 'ndjson',
      from,
      to,
      filters: {},
      state: 'queued',
      requestedByKind: OPERATOR.kind,
      requestedById: PLATFORM_ORGANIZATION,
      createdAt: now,
      progressedAt: new Date(0), // there is no queue here: as if it had stood still, so that it is taken up at once
    },
  });
  await audit.record<'audit:create-export'>(tx, {
    organizationId,
    actor: OPERATOR,
    action: 'audit:create-export',
    outcome: 'success',
    resource: { type: 'AuditExport', id },
    detail: { format: 'ndjson', interval: ['from', 'to'], filters: [], replayed: false },
  });
  return id;
}

/** The last seal that has events of a month, by the times of its trees; nulls when there is none. */
async function lastSealOf(
  tx: Transaction,
  organizationId: string,
  { from, to }: Month,
): Promise<{ seal: bigint | null; sealedAt: Date | null }> {
  const [row] = await tx.$queryRaw<[{ seal: bigint | null; sealedAt: Date | null }]>`
    SELECT max(t.seal_number) AS seal, max(t.sealed_at) AS "sealedAt" FROM audit_tree t
    WHERE t.organization_id = ${organizationId}::uuid AND t.last_time >= ${from}::timestamptz AND t.first_time < ${to}::timestamptz`;
  return row;
}
