-- When a user was invited, and when the invitation was sent (or refused for good). Absent: nothing is to be sent.
ALTER TABLE "user" ADD COLUMN     "invitation_sent_at" TIMESTAMPTZ(3),
ADD COLUMN     "invited_at" TIMESTAMPTZ(3);

-- Few among very many patients: those of staff, and those who may not come in. An enum that comes as a parameter is no constant
-- to the planner, which then finds no partial index by it: hence the column.
ALTER TABLE "user" ADD COLUMN     "is_staff" BOOLEAN NOT NULL GENERATED ALWAYS AS (kind = 'staff'::user_kind) STORED;
CREATE INDEX "user_staff" ON "user"("organization_id", "created_at", "id") WHERE (is_staff);
CREATE INDEX "user_disabled" ON "user"("organization_id", "created_at", "id") WHERE (disabled_at IS NOT NULL);

-- Invitations whose job was lost. Of users their owner sees these columns and no other: no name, no address.
CREATE INDEX "user_uninvited" ON "user"("invited_at") WHERE (invited_at IS NOT NULL AND invitation_sent_at IS NULL AND disabled_at IS NULL);
CREATE FUNCTION reconcile_unsent_invitations(invited_before timestamptz, invited_after timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.organization_id FROM "user" u
  JOIN organization o ON o.id = u.organization_id AND o.disabled_at IS NULL
  WHERE u.invited_at IS NOT NULL AND u.invitation_sent_at IS NULL AND u.disabled_at IS NULL
    AND u.invited_at < invited_before AND u.invited_at > invited_after
  ORDER BY u.invited_at LIMIT at_most
$$;
CREATE POLICY resolver ON "user" FOR SELECT TO scandock_definer USING (true);
GRANT SELECT (id, organization_id, invited_at, invitation_sent_at, disabled_at) ON "user" TO scandock_definer;
ALTER FUNCTION reconcile_unsent_invitations(timestamptz, timestamptz, integer) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION reconcile_unsent_invitations(timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reconcile_unsent_invitations(timestamptz, timestamptz, integer) TO scandock_worker;
