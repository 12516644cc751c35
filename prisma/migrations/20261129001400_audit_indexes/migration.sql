-- The search of the ledger: an index for each of its filters, in the order of its pages, whatever is asked for. Small ones
-- where few events have a value. docs/operations.md says how to build them before, where the ledger is large already.

-- What somebody did, most of the time with a resource that is a row: its id alone names it.
DROP INDEX "audit_event_organization_id_resource_type_resource_id_occur_idx";

-- CreateIndex
CREATE INDEX "audit_event_action" ON "audit_event"("organization_id", "action", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "audit_event_actor_kind" ON "audit_event"("organization_id", "actor_kind", "occurred_at", "id");

-- CreateIndex: the action is found in it without a look at the rows.
CREATE INDEX "audit_event_actor" ON "audit_event"("organization_id", "actor_id", "occurred_at", "id", "action") WHERE (actor_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_resource_type" ON "audit_event"("organization_id", "resource_type", "occurred_at", "id") WHERE (resource_type IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_resource" ON "audit_event"("organization_id", "resource_id", "occurred_at", "id") WHERE (resource_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_patient" ON "audit_event"("organization_id", "patient_ref", "occurred_at", "id") WHERE (patient_ref IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_study" ON "audit_event"("organization_id", "study_ref", "occurred_at", "id") WHERE (study_ref IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_request" ON "audit_event"("organization_id", "request_id", "occurred_at", "id") WHERE (request_id IS NOT NULL);

-- CreateIndex
CREATE INDEX "audit_event_unsuccessful" ON "audit_event"("organization_id", "outcome", "occurred_at", "id") WHERE (outcome <> 'success');

-- CreateIndex
CREATE INDEX "audit_event_unsuccessful_action" ON "audit_event"("organization_id", "action", "outcome", "occurred_at", "id") WHERE (outcome <> 'success');
