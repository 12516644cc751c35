-- Orders, submissions, results and events: policies, grants, and what the reconciler may see of them.

-- Studies from before there were submissions: each is one, and it is closed. They are whose first upload they came with.
ALTER TABLE study NO FORCE ROW LEVEL SECURITY;
ALTER TABLE upload NO FORCE ROW LEVEL SECURITY;
UPDATE study s SET created_by_id = (
  SELECT u.principal_id FROM upload u
  WHERE u.organization_id = s.organization_id AND u.study_id = s.id ORDER BY u.registered_at, u.id LIMIT 1);
ALTER TABLE upload FORCE ROW LEVEL SECURITY;
INSERT INTO submission (id, organization_id, study_id, generation, state, opened_at, last_landed_at, closes_at, closed_at)
SELECT gen_random_uuid(), organization_id, id, 1, 'closed', created_at, updated_at, updated_at, updated_at FROM study;
ALTER TABLE study FORCE ROW LEVEL SECURITY;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['order', 'order_overlay', 'order_study', 'submission', 'volume', 'result', 'outbox_event'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', tenant_table);
  END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE ON "order", result TO scandock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON order_overlay, order_study, submission, volume TO scandock_app;
GRANT SELECT, INSERT ON outbox_event TO scandock_app;

-- An instance's version ends after it begins, or where it begins when it was replaced within its own generation.
ALTER TABLE instance ADD CONSTRAINT instance_generations CHECK (superseded_in IS NULL OR superseded_in >= generation);
ALTER TABLE submission ADD CONSTRAINT submission_closed_has_time CHECK (state <> 'closed' OR closed_at IS NOT NULL);
-- One submission of a study at a time.
CREATE UNIQUE INDEX submission_present ON submission (organization_id, study_id) WHERE (state = ANY (ARRAY['open'::submission_state, 'closed'::submission_state]));

-- Submissions whose idle time is over, unless their organization still has uploads to verify that landed before: a
-- backlog must not close studies early. After `overdue_before` they close all the same. Set-aside uploads wait for a
-- person, not for a worker.
CREATE FUNCTION reconcile_due_submissions(due_at timestamptz, overdue_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid, closes_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id, s.organization_id, s.closes_at FROM submission s
  WHERE s.state = 'open'::submission_state AND s.closes_at <= due_at
    AND (s.closes_at <= overdue_before OR NOT EXISTS (
      SELECT 1 FROM upload u
      WHERE u.organization_id = s.organization_id
        AND u.state = ANY (ARRAY['landed'::upload_state, 'verified'::upload_state])
        AND u.bucket_modified_at < s.closes_at AND u.parked_at IS NULL))
  ORDER BY s.closes_at LIMIT at_most
$$;

DROP FUNCTION reconcile_copies(timestamptz, integer);
CREATE FUNCTION reconcile_copies(created_before timestamptz, at_most integer)
RETURNS TABLE (organization_id uuid, upload_id uuid, attempt integer, key text, prefix boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.organization_id, c.upload_id, c.attempt, c.key, c.prefix FROM object_copy c
  WHERE c.created_at < created_before ORDER BY c.created_at LIMIT at_most
$$;

-- Events past their time, of every tenant: nothing of them is read, so the function deletes by itself.
CREATE FUNCTION sweep_outbox_events(occurred_before timestamptz, at_most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH gone AS (
    DELETE FROM outbox_event WHERE id IN (
      SELECT e.id FROM outbox_event e WHERE e.occurred_at < occurred_before ORDER BY e.occurred_at LIMIT at_most)
    RETURNING 1)
  SELECT count(*) FROM gone
$$;
CREATE POLICY sweeper ON outbox_event FOR DELETE TO scandock_definer USING (true);
GRANT DELETE ON outbox_event TO scandock_definer;

DO $$
DECLARE
  resolved_table text;
  reconciler_function text;
BEGIN
  FOREACH resolved_table IN ARRAY ARRAY['submission', 'outbox_event'] LOOP
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', resolved_table);
    EXECUTE format('GRANT SELECT ON %I TO scandock_definer', resolved_table);
  END LOOP;
  FOREACH reconciler_function IN ARRAY ARRAY['reconcile_due_submissions(timestamptz, timestamptz, integer)',
    'reconcile_copies(timestamptz, integer)', 'sweep_outbox_events(timestamptz, integer)'] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO scandock_definer', reconciler_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', reconciler_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO scandock_worker', reconciler_function);
  END LOOP;
END $$;
