import { Injectable } from '@nestjs/common';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { notFound } from '../../platform/errors/application-error.js';
import { OPERATOR } from '../audit/audit.actors.js';
import { AuditService } from '../audit/audit.service.js';
import { effectiveRights } from './effective-rights.js';
import type { EffectiveRights } from './explain.schemas.js';
import { groupPathsOf } from './group-paths.rows.js';
import { type Holder, rolesOf, toRights } from './rights.rows.js';
import { standingOf } from './standing.js';

/** All that somebody may do, read from the rows that enforcement reads: for administrators by a route, for the operator by a command. */
@Injectable()
export class RightsService {
  constructor(
    private readonly database: DatabaseService,
    private readonly audit: AuditService,
  ) {}

  /**
   * Of a principal, or of the members of a group by being in it.
   * @throws not_found
   */
  of(organizationId: string, { kind, id }: Holder): Promise<EffectiveRights> {
    return this.database.readOrganization(organizationId, async (tx) => {
      const standing =
        kind === 'group'
          ? await standingOfGroup(tx, organizationId, id)
          : await standingOf(tx, organizationId, { kind, id });
      if (!standing) throw notFound();
      const paths = await groupPathsOf(tx, organizationId, { kind, id });
      const { excluded = null, scopes } = standing;
      const bindings = effectiveRights(toRights(await standing.roles()), { id, organizationId }, paths);
      return { kind, id, excluded, scopes: [...scopes], bindings };
    });
  }

  /** The same for the operator's command, which no route tells of. @throws not_found */
  async forOperator(organizationId: string, holder: Holder): Promise<EffectiveRights> {
    const found = await this.of(organizationId, holder);
    await this.audit.append({
      organizationId,
      actor: OPERATOR,
      action: 'access:rights',
      outcome: 'success',
      resource: { type: 'Access' },
      detail: { kind: holder.kind, id: holder.id },
    });
    return found;
  }

  /** The row of a client that is named by its `client_id`, `sdc_...`. @throws not_found */
  async clientNamed(organizationId: string, clientId: string): Promise<string> {
    const found = await this.database.withOrganization(organizationId, (tx) =>
      tx.oauthClient.findFirst({ where: { organizationId, clientId }, select: { id: true } }),
    );
    if (!found) throw notFound();
    return found.id;
  }
}

/** Members have what their group has; it has no credential of its own. */
async function standingOfGroup(tx: Transaction, organizationId: string, id: string) {
  const found = await tx.group.findFirst({ where: { organizationId, id }, select: { id: true } });
  return (
    found && {
      excluded: null,
      scopes: [],
      roles: () => rolesOf(tx, organizationId, { kind: 'group', id }),
    }
  );
}
