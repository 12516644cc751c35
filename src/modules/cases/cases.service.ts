import { Injectable } from '@nestjs/common';
import type { Prisma } from '../../generated/prisma/client.js';
import { accessibleBy } from '../../platform/authorization/accessible-by.js';
import type { Caller } from '../../platform/authorization/principal.js';
import { Clock } from '../../platform/clock/clock.js';
import { DatabaseService, type Transaction } from '../../platform/database/database.service.js';
import { newId } from '../../platform/database/id.js';
import { notFound } from '../../platform/errors/application-error.js';
import { newestFirst, olderThan, toPage } from '../../platform/http/cursor.js';
import { IdempotencyService } from '../../platform/http/idempotency.js';
import { actedBy, AuditService } from '../audit/audit.service.js';
import type { CasePage, CaseView, CreateCase, ListCases } from './cases.schemas.js';
import { patientOf } from './patients.js';

const withPatient = { patient: true } as const satisfies Prisma.PatientCaseInclude;
export type CaseRow = Prisma.PatientCaseGetPayload<{ include: typeof withPatient }>;

/** Patients' cases, as staff sees them. */
@Injectable()
export class CasesService {
  constructor(
    private readonly database: DatabaseService,
    private readonly idempotency: IdempotencyService,
    private readonly audit: AuditService,
    private readonly clock: Clock,
  ) {}

  /** @throws not_found (the patient), patient_ambiguous, idempotency_conflict, idempotency_mismatch */
  create(caller: Caller, input: CreateCase, key: string | undefined): Promise<CaseView> {
    const { organizationId } = caller.principal;
    const claim = { caller, operation: 'cases:create', key, body: input };
    return this.database.withOrganization(organizationId, async (tx) => {
      const earlier = await this.idempotency.earlier(tx, claim);
      const { id, known } = earlier ? { id: earlier, known: true } : await this.insert(tx, caller, input);
      if (!earlier) await this.idempotency.remember(tx, claim, id);
      const created = await this.find(tx, caller, 'cases:create', id);
      await this.audit.record(
        tx,
        actedBy<'cases:create'>(caller, {
          action: 'cases:create',
          resource: { type: 'PatientCase', id },
          patientRef: created.patientId,
          detail: { known, replayed: earlier !== undefined },
        }),
      );
      return this.view(tx, caller, created);
    });
  }

  /** Newest first. */
  list(caller: Caller, { patient_id, state, limit, cursor }: ListCases): Promise<CasePage> {
    const { organizationId } = caller.principal;
    const where: Prisma.PatientCaseWhereInput[] = [
      accessibleBy(caller, 'cases:list').ofType('PatientCase'),
      {
        organizationId,
        ...(patient_id && { patientId: patient_id }),
        ...(state && { closedAt: state === 'open' ? null : { not: null } }),
      },
      ...(cursor ? olderThan(cursor) : []),
    ];
    return this.database.withOrganization(organizationId, async (tx) => {
      const rows = await tx.patientCase.findMany({
        where: { AND: where },
        ...newestFirst(limit),
        include: withPatient,
      });
      return toPage(rows, limit, toView);
    });
  }

  /** @throws not_found */
  read(caller: Caller, id: string): Promise<CaseView> {
    return this.database.withOrganization(caller.principal.organizationId, async (tx) => {
      const found = await this.find(tx, caller, 'cases:read', id);
      caller.request.about = { resource: { type: 'PatientCase', id }, patientRef: found.patientId };
      return toView(found);
    });
  }

  /** Nothing is attached to it from now on; the same answer each time. @throws not_found */
  close(caller: Caller, id: string): Promise<CaseView> {
    const { organizationId } = caller.principal;
    return this.database.withOrganization(organizationId, async (tx) => {
      const { count } = await tx.patientCase.updateMany({
        where: {
          AND: [
            accessibleBy(caller, 'cases:close').ofType('PatientCase'),
            { organizationId, id, closedAt: null },
          ],
        },
        data: { closedAt: this.clock.now() },
      });
      const closed = await this.find(tx, caller, 'cases:close', id);
      await this.audit.record(
        tx,
        actedBy<'cases:close'>(caller, {
          action: 'cases:close',
          resource: { type: 'PatientCase', id },
          patientRef: closed.patientId,
          detail: { repeated: count === 0 },
        }),
      );
      return this.view(tx, caller, closed);
    });
  }

  /** @throws not_found when there is none, or none the caller may perform the operation on. */
  async find(tx: Transaction, caller: Caller, operation: string, id: string): Promise<CaseRow> {
    const { organizationId } = caller.principal;
    const found = await tx.patientCase.findFirst({
      where: {
        AND: [accessibleBy(caller, operation).ofType('PatientCase'), { organizationId, id }],
      },
      include: withPatient,
    });
    if (!found) throw notFound();
    return found;
  }

  /** The same, for what hangs on a case: open or closed, it stays so until the transaction ends. @throws not_found */
  async hold(tx: Transaction, caller: Caller, operation: string, id: string): Promise<CaseRow> {
    const { organizationId } = caller.principal;
    await tx.$queryRaw`
      SELECT 1 FROM patient_case WHERE organization_id = ${organizationId}::uuid AND id = ${id}::uuid FOR SHARE`;
    return this.find(tx, caller, operation, id);
  }

  /** Who the patient is, only who may read the case is told. */
  private async view(tx: Transaction, caller: Caller, row: CaseRow): Promise<CaseView> {
    const { organizationId, id } = row;
    const readable = accessibleBy(caller, 'cases:read').ofType('PatientCase');
    const count = await tx.patientCase.count({ where: { AND: [readable, { organizationId, id }] } });
    return count > 0 ? toView(row) : toReceipt(row);
  }

  private async insert(
    tx: Transaction,
    { principal }: Caller,
    input: CreateCase,
  ): Promise<{ id: string; known: boolean }> {
    const { organizationId, kind: createdByKind, id: createdById } = principal;
    const [id, createdAt] = [newId(), this.clock.now()];
    const { patient, known } = await patientOf(tx, organizationId, input, createdAt);
    await tx.patientCase.create({
      data: {
        id,
        organizationId,
        patientId: patient.id,
        title: input.title ?? null,
        createdByKind,
        createdById,
        createdAt,
      },
    });
    return { id, known };
  }
}

/** For who may open or close cases and read none: who the patient is, they learn by an id. */
const toReceipt = (row: CaseRow): CaseView => {
  const { id, ...view } = toView(row);
  const nobody = { first_name: '', last_name: '', email: null, phone_number: null };
  return { id, ...view, patient: { id: view.patient.id, ...nobody } };
};

const toView = ({ id, title, patient, createdAt, closedAt }: CaseRow): CaseView => ({
  id,
  state: closedAt ? 'closed' : 'open',
  title,
  patient: {
    id: patient.id,
    first_name: patient.firstName,
    last_name: patient.lastName,
    email: patient.email,
    phone_number: patient.phoneNumber,
  },
  created_at: createdAt.toISOString(),
  closed_at: closedAt?.toISOString() ?? null,
});
