import { Injectable } from '@nestjs/common';
import type { DicomHeader } from '../../formats/dicom/inspector.js';
import { Clock } from '../../platform/clock/clock.js';
import { newId } from '../../platform/database/id.js';
import type { SqlTransaction } from '../../platform/database/sql-transaction.js';
import { OutboxService } from '../events/outbox.service.js';
import { assembleOrders, linkStudies, ordersForStudies } from '../orders/order.rows.js';
import {
  type Noticed,
  Registrar,
  type Registration,
  type VerifiedInstance,
  type VerifiedVolume,
} from '../uploads/registrar.js';
import { rejection } from '../uploads/uploads.rules.js';
import { admitted, contested, mayWrite } from './admission.js';
import { findPresent, findUploaders, insertVersions, renew, supersede } from './instance.rows.js';
import { GenerationPlan } from './generation.plan.js';
import { compareAnew, restateStudies } from './restatement.rows.js';
import { findCreators, lockStudies, upsertSeries, upsertStudies } from './study.rows.js';
import { SubmissionCloser } from './submission.closer.js';
import { findSubmissions, hastenForClosedOrders, openSubmissions } from './submission.rows.js';

/** Registers verified DICOM instances: study and series are made by their UIDs, within one organization. */
@Injectable()
export class StudyRegistrar extends Registrar {
  constructor(
    private readonly closer: SubmissionCloser,
    private readonly outbox: OutboxService,
    private readonly clock: Clock,
  ) {
    super();
  }

  closeDue(noticed: Noticed): Promise<void> {
    return this.closer.closeDue(noticed);
  }

  lock(tx: SqlTransaction, organizationId: string, headers: DicomHeader[]): Promise<void> {
    return lockStudies(
      tx,
      organizationId,
      headers.map(({ studyInstanceUid }) => studyInstanceUid),
    );
  }

  async register(
    tx: SqlTransaction,
    organizationId: string,
    instances: VerifiedInstance[],
  ): Promise<Registration[]> {
    if (instances.length === 0) return [];
    const now = this.clock.now();
    const known = await findPresent(
      tx,
      organizationId,
      instances.map(({ header }) => header.sopInstanceUid),
    );
    const uploaders = await findUploaders(tx, organizationId, contested(known, instances));
    const creators = await findCreators(tx, organizationId, instances);
    const welcome = admitted(known, uploaders, creators, instances);
    const welcomed = welcome.map(({ header }) => header);
    const studies = await upsertStudies(tx, organizationId, welcome, now);
    const series = await upsertSeries(tx, organizationId, welcomed, studies);
    const submissions = await findSubmissions(
      tx,
      organizationId,
      [...studies.values()].map(({ id }) => id),
    );

    const plan = new GenerationPlan(known, submissions);
    for (const instance of welcome) {
      const { studyInstanceUid, seriesInstanceUid } = instance.header;
      const study = studies.get(studyInstanceUid)!;
      plan.place(instance, study, series.get(`${study.id} ${seriesInstanceUid}`)!);
    }
    await restateStudies(tx, organizationId, plan.restated(), now);
    await compareAnew(tx, organizationId, plan.restated());
    await openSubmissions(tx, organizationId, plan.opened());
    await supersede(tx, organizationId, plan.ended(), now);
    await renew(tx, organizationId, plan.renewed());
    await insertVersions(tx, organizationId, plan.versions(), now);

    const placed = welcome.map((instance) => ({ ...instance, ...plan.outcome(instance)! }));
    // Who may not write the study has brought nothing to it: no order of theirs is one of its.
    const began = [...welcome]
      .reverse()
      .map(({ header, principalId }) => [header.studyInstanceUid, principalId] as const);
    const owners = new Map([...began, ...creators]);
    const writers = placed.filter((instance) => mayWrite(owners, instance));
    const orders = await this.findOrders(tx, organizationId, writers, now);
    return instances.map((instance): Registration => {
      const outcome = plan.outcome(instance);
      if (!outcome) return { rejection: rejection('dicom.conflict') };
      return { ...outcome, orderId: orders.get(instance.uploadId) ?? null };
    });
  }

  /** An order a set that came without one, and the event that it is there: there is nothing to wait for. */
  async registerVolumes(
    tx: SqlTransaction,
    organizationId: string,
    volumes: VerifiedVolume[],
  ): Promise<string[]> {
    if (volumes.length === 0) return [];
    const now = this.clock.now();
    const without = volumes.filter(({ orderId }) => !orderId).map(({ principalId }) => principalId);
    const made = await assembleOrders(tx, organizationId, without, now);
    const rows = volumes.map((volume) => ({
      ...volume,
      id: newId(),
      orderId: volume.orderId ?? made.shift()!,
    }));
    for (const { id, orderId, uploadId, bvalUploadId, bvecUploadId, dimensions, volumes: count } of rows)
      await tx.$executeRaw`
        INSERT INTO volume (id, organization_id, order_id, nifti_upload_id, bval_upload_id, bvec_upload_id, dimensions, volumes, created_at)
        VALUES (${id}::uuid, ${organizationId}::uuid, ${orderId}::uuid, ${uploadId}::uuid, ${bvalUploadId}::uuid,
                ${bvecUploadId}::uuid, ${dimensions}::int[], ${count}::int, ${now}::timestamptz)`;
    await this.outbox.emit(
      tx,
      organizationId,
      rows.map(({ id, orderId }) => ({ type: 'volume.ready', data: { volume_id: id, order_id: orderId } })),
    );
    return rows.map(({ orderId }) => orderId);
  }

  /** By `order_id`, else by StudyInstanceUID, else a new order. Exams have none. By upload. */
  private async findOrders(
    tx: SqlTransaction,
    organizationId: string,
    placed: (VerifiedInstance & { studyId: string; duplicate: boolean })[],
    now: Date,
  ): Promise<Map<string, string>> {
    const joined = placed.filter(({ surface }) => surface === 'ingestion');
    const found = await ordersForStudies(
      tx,
      organizationId,
      joined.filter(({ orderId }) => !orderId),
      now,
    );
    const links = joined.map(({ uploadId, studyId, orderId }) => ({
      uploadId,
      studyId,
      orderId: orderId ?? found.get(uploadId)!,
    }));
    await linkStudies(tx, organizationId, links, now);
    await hastenForClosedOrders(tx, organizationId, links, now);
    return new Map(links.map(({ uploadId, orderId }) => [uploadId, orderId]));
  }
}
