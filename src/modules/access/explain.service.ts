import { Injectable } from '@nestjs/common';
import { findOperation, type Operation } from '../../platform/authorization/operations.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { subjectNamed } from '../../platform/authorization/subjects.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { notFound, validationError } from '../../platform/errors/application-error.js';
import { RouteTable } from '../../platform/http/route-table.service.js';
import type { EffectiveRights, Explain, Explanation, RightsQuery } from './explain.schemas.js';
import { type Asked, rowIdOf } from './resource.rows.js';
import { toRights } from './rights.rows.js';
import { RightsService } from './rights.service.js';
import { standingOf } from './standing.js';
import { judge } from './verdict.js';

/** What is told of who may do what. It is read from the rows that enforcement reads, by the code that decides there. */
@Injectable()
export class ExplainService {
  constructor(
    private readonly database: DatabaseService,
    private readonly effective: RightsService,
    private readonly routes: RouteTable,
  ) {}

  /**
   * Whether a principal of the caller's organization may do one thing, and why.
   * @throws validation_error when it is nothing that a right decides
   * @throws not_found (the principal)
   */
  explain(caller: Caller, asked: Explain): Promise<Explanation> {
    const { organizationId } = caller.principal;
    const { principal, scopes } = asked;
    const operation = this.decidable(asked.operation);
    const row = rowAskedFor(operation, organizationId, asked.resource);
    const portalOnly = this.routes.of(operation.name).some(({ portal }) => portal);
    return this.database.readOrganization(organizationId, async (tx) => {
      const standing = await standingOf(tx, organizationId, principal);
      if (!standing) throw notFound();
      caller.request.about = { resource: { type: 'Access', id: principal.id } };
      const held = scopes ? scopes.filter((scope) => standing.scopes.includes(scope)) : standing.scopes;
      return judge({
        tx,
        operation,
        principal: { ...principal, organizationId },
        excluded: standing.excluded,
        closedTo: portalOnly && !standing.isPatient,
        rights: toRights(await standing.roles()),
        held,
        row,
      });
    });
  }

  /**
   * All that a principal may do, or the members of a group by being in it.
   * @throws not_found
   */
  async rights(caller: Caller, { kind, id }: RightsQuery): Promise<EffectiveRights> {
    const found = await this.effective.of(caller.principal.organizationId, { kind, id });
    caller.request.about = { resource: { type: 'Access', id } };
    return found;
  }

  /** @throws validation_error */
  private decidable(name: string): Operation {
    const operation = findOperation(name);
    if (!operation) throw refused('operation', 'is not an operation');
    const routes = this.routes.of(name);
    if (operation.subject === 'System' || (routes.length > 0 && routes.every((route) => route.public)))
      throw refused('operation', 'is open to everybody: no right decides it');
    return operation;
  }
}

const refused = (path: string, message: string) => validationError([{ path, message }]);

/** @throws validation_error when the operation is not performed on such a row */
function rowAskedFor(
  { name, subject, creates, unconditional, platform }: Operation,
  organizationId: string,
  resource: Explain['resource'],
): Asked | undefined {
  if (!resource) return undefined;
  const { type, id: given } = resource;
  if (type !== subject) throw refused('resource.type', `must be ${subject}, which ${name} is about`);
  if (given === undefined) return undefined;
  const { rows } = subjectNamed(subject);
  if (!rows) throw refused('resource.id', `is not asked of ${subject}, which has no rows`);
  if (creates) throw refused('resource.id', `is not asked of ${name}, which makes a new one`);
  if (unconditional)
    throw refused('resource.id', `is not asked of ${name}, which is decided before there is one`);
  if (platform) throw refused('resource.id', `is not asked of ${name}, which is about any organization`);
  const id = rowIdOf(rows, given);
  if (id === undefined) throw refused('resource.id', 'cannot be the id of a row');
  return { rows, organizationId, id };
}
