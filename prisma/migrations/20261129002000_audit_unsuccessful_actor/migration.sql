-- What somebody was denied, or failed at: one in a hundred of what they did, and looked for among all of it until now.

-- CreateIndex
CREATE INDEX "audit_event_unsuccessful_actor" ON "audit_event"("organization_id", "actor_id", "outcome", "occurred_at", "id") WHERE (outcome <> 'success');
