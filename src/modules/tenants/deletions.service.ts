import { Injectable } from '@nestjs/common';
import type { OrganizationDeletion } from '../../generated/prisma/client.js';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { Enqueuer } from '../../platform/queue/enqueuer.js';
import { StorageService } from '../../platform/storage/storage.service.js';
import { AccessChanges } from '../access/access-changes.js';
import { Ledgers } from '../access/ledgers.js';
import { actedBy } from '../audit/audit.service.js';
import { findTenant, insideOf, type TenantRow } from './tenant.rows.js';
import { notExported, onHold, platformOrganization, purgeBegun } from './tenants.errors.js';
import { type AdvanceDeletionPayload, advanceDeletion } from './tenants.jobs.js';
import type { DeletionView, Purge } from './tenants.schemas.js';

/** A tenant that is being deleted. */
type Leaving = TenantRow & { deletion: OrganizationDeletion };

/** The end of an organization in two steps, each asked for by somebody: the worker exports it, and later it purges it. */
@Injectable()
export class DeletionsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly changes: AccessChanges,
    private readonly ledgers: Ledgers,
    private readonly storage: StorageService,
    private readonly enqueuer: Enqueuer,
    private readonly clock: Clock,
  ) {}

  /** Disables it, and has it exported. The same answer each time. @throws not_found, platform_organization */
  async request(caller: Caller, id: string): Promise<DeletionView> {
    if (id === PLATFORM_ORGANIZATION) throw platformOrganization();
    const deletion = await this.changes.change(insideOf(caller, id), async (tx) => {
      const known = (await findTenant(tx, caller, 'organizations:request-deletion', id)).deletion;
      const deletion = known ?? (await this.insert(tx, caller, id));
      await this.ledgers.record(
        tx,
        id,
        actedBy<'organizations:request-deletion'>(caller, {
          action: 'organizations:request-deletion',
          resource: { type: 'Organization', id },
          detail: { deletion: deletion.id, repeated: known !== null },
        }),
      );
      return deletion;
    });
    if (deletion.state === 'requested') await this.advance(deletion, 'export');
    return toView(deletion);
  }

  /** With URLs to download the export and its manifest, once they are there. @throws not_found */
  async read(caller: Caller, id: string): Promise<DeletionView> {
    const { deletion } = await this.database.withOrganization(insideOf(caller, id), (tx) =>
      this.find(tx, caller, 'organizations:read-deletion', id),
    );
    const { exportKey, manifestKey } = deletion;
    if (!exportKey || !manifestKey) return toView(deletion);
    const now = this.clock.now();
    const [file, manifest] = await Promise.all([
      this.storage.presignGet(exportKey, `${id}.ndjson.gz`, now),
      this.storage.presignGet(manifestKey, `${id}.manifest.ndjson.gz`, now),
    ]);
    return { ...toView(deletion), download_url: file.url, manifest_url: manifest.url };
  }

  /** The organization stays disabled; an export that was written stays in the bucket. @throws not_found, purge_begun */
  cancel(caller: Caller, id: string): Promise<void> {
    return this.changes.change(insideOf(caller, id), async (tx) => {
      const { deletion } = await this.find(tx, caller, 'organizations:cancel-deletion', id);
      if (deletion.purgeRequestedAt) throw purgeBegun();
      await tx.organizationDeletion.deleteMany({ where: { organizationId: id, id: deletion.id } });
      await this.ledgers.record(
        tx,
        id,
        actedBy<'organizations:cancel-deletion'>(caller, {
          action: 'organizations:cancel-deletion',
          resource: { type: 'Organization', id },
          detail: { deletion: deletion.id },
        }),
      );
    });
  }

  /**
   * Has its bytes and rows removed for good, the ledger excepted. The same answer each time while it goes on.
   * @throws not_found, not_exported, purge_begun (it is over), legal_hold, validation_error (the name)
   */
  async purge(caller: Caller, id: string, { name }: Purge): Promise<DeletionView> {
    const deletion = await this.changes.change(insideOf(caller, id), async (tx) => {
      const found = await this.find(tx, caller, 'organizations:purge', id);
      if (!found.deletion.exportedAt) throw notExported();
      if (found.deletion.state === 'purged') throw purgeBegun();
      if (found.deletion.state === 'exported' && (await isHeld(tx, id))) throw onHold();
      if (found.name !== name)
        throw validationError([{ path: 'name', message: 'is not the name of the organization' }]);
      const { count } = await tx.organizationDeletion.updateMany({
        where: { organizationId: id, id: found.deletion.id, state: 'exported' },
        data: { state: 'purging', purgeRequestedAt: this.clock.now(), progressedAt: this.clock.now() },
      });
      await this.ledgers.record(
        tx,
        id,
        actedBy<'organizations:purge'>(caller, {
          action: 'organizations:purge',
          resource: { type: 'Organization', id },
          detail: { deletion: found.deletion.id, repeated: count === 0 },
        }),
      );
      return (await this.find(tx, caller, 'organizations:purge', id)).deletion;
    });
    await this.advance(deletion, 'purge');
    return toView(deletion);
  }

  private async insert(tx: Transaction, caller: Caller, id: string): Promise<OrganizationDeletion> {
    const now = this.clock.now();
    await tx.organization.updateMany({
      where: { id, disabledAt: null },
      data: { disabledAt: now, version: { increment: 1 } },
    });
    return tx.organizationDeletion.create({
      data: {
        id: newId(),
        organizationId: id,
        state: 'requested',
        requestedByKind: caller.principal.kind,
        requestedById: caller.principal.id,
        requestedAt: now,
        progressedAt: now,
      },
    });
  }

  private async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<Leaving> {
    const { deletion, ...found } = await findTenant(tx, caller, operation, id);
    if (!deletion) throw notFound();
    return { ...found, deletion };
  }

  private advance(
    { id, organizationId }: OrganizationDeletion,
    step: AdvanceDeletionPayload['step'],
  ): Promise<void> {
    return this.enqueuer.enqueue(advanceDeletion, [{ organizationId, deletionId: id, step }]);
  }
}

/** Whether a legal hold is active: nobody would be left who can release it. */
const isHeld = async (tx: Transaction, organizationId: string): Promise<boolean> =>
  (await tx.auditHold.count({ where: { organizationId, releasedAt: null } })) > 0;

const toView = (row: OrganizationDeletion): DeletionView => ({
  id: row.id,
  organization_id: row.organizationId,
  state: row.state,
  requested_by: { kind: row.requestedByKind, id: row.requestedById },
  requested_at: row.requestedAt.toISOString(),
  progressed_at: row.progressedAt.toISOString(),
  failure: row.failure,
  export: {
    rows: Number(row.exportRows),
    bytes: Number(row.exportBytes),
    sha256: row.exportSha256 && Buffer.from(row.exportSha256).toString('hex'),
    exported_at: row.exportedAt?.toISOString() ?? null,
  },
  purge: {
    objects: Number(row.purgedObjects),
    rows: Number(row.purgedRows),
    requested_at: row.purgeRequestedAt?.toISOString() ?? null,
    purged_at: row.purgedAt?.toISOString() ?? null,
  },
});
