-- The upload ledger's and the audit ledger's own defences, and what the reconciler may see across tenants.

-- The state machine once more, below the application: an illegal transition cannot be written by anybody.
CREATE FUNCTION upload_guard_transition() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF (OLD.state::text, NEW.state::text) NOT IN (
    ('issued', 'landed'), ('issued', 'expired'), ('expired', 'landed'),
    ('landed', 'verified'), ('landed', 'rejected'), ('verified', 'registered'), ('verified', 'rejected'),
    ('issued', 'deleted'), ('landed', 'deleted'), ('verified', 'deleted'), ('registered', 'deleted'),
    ('rejected', 'deleted'), ('expired', 'deleted'), ('deleted', 'purged')
  ) THEN
    RAISE EXCEPTION 'illegal upload transition: % -> %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER upload_guard_transition BEFORE UPDATE OF state ON upload
  FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION upload_guard_transition();

ALTER TABLE upload
  ADD CONSTRAINT upload_registered_has_object CHECK (state <> 'registered' OR stored_object_id IS NOT NULL),
  ADD CONSTRAINT upload_rejected_has_rule CHECK (state <> 'rejected' OR rejection_rule IS NOT NULL),
  ADD CONSTRAINT upload_landed_has_size CHECK (state NOT IN ('landed', 'verified', 'registered') OR landed_size IS NOT NULL);

-- Insert-only, for the owner as well.
CREATE FUNCTION audit_event_is_insert_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'the audit ledger is insert-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_event_is_insert_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_insert_only();

-- Monthly partitions, made ahead of time. A row outside of them lands in the default partition instead of being lost.
CREATE FUNCTION audit_ensure_partitions(from_day date, months integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  first_day date := date_trunc('month', from_day)::date;
  partition text;
BEGIN
  IF to_regclass('public.audit_event_default') IS NULL THEN
    CREATE TABLE public.audit_event_default PARTITION OF public.audit_event DEFAULT;
    PERFORM audit_secure_partition('audit_event_default');
  END IF;
  FOR ahead IN 0..least(months, 12) LOOP
    partition := 'audit_event_' || to_char(first_day + make_interval(months => ahead), 'YYYY_MM');
    CONTINUE WHEN to_regclass('public.' || partition) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_event FOR VALUES FROM (%L) TO (%L)', partition,
        (first_day + make_interval(months => ahead))::timestamp AT TIME ZONE 'UTC',
        (first_day + make_interval(months => ahead + 1))::timestamp AT TIME ZONE 'UTC');
      PERFORM audit_secure_partition(partition);
    EXCEPTION WHEN check_violation THEN
      RAISE WARNING 'the default partition holds rows of %', partition; -- they are safe where they are
    END;
  END LOOP;
END $$;

CREATE FUNCTION audit_secure_partition(partition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', partition);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', partition);
  EXECUTE format(
    'CREATE POLICY tenant ON public.%I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
    partition);
  EXECUTE format('CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON public.%I
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_insert_only()', partition);
  EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC', partition);
END $$;
SELECT audit_ensure_partitions(now()::date, 3);
REVOKE ALL ON FUNCTION audit_ensure_partitions(date, integer), audit_secure_partition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_ensure_partitions(date, integer) TO scandock_worker;

-- What the reconciler reads across tenants: ids, states and times, never a name or a value. Every change it makes
-- re-enters one organization by the application's seam.
CREATE FUNCTION reconcile_lookup(ids uuid[])
RETURNS TABLE (id uuid, organization_id uuid, state upload_state, url_expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.organization_id, u.state, u.url_expires_at FROM upload u WHERE u.id = ANY (ids)
$$;

CREATE FUNCTION reconcile_stalled(changed_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.organization_id FROM upload u
  WHERE u.state = ANY (ARRAY['landed'::upload_state, 'verified'::upload_state])
    AND u.state_changed_at < changed_before AND u.parked_at IS NULL
    -- Each try costs a copy: what keeps failing waits twice as long each time, an hour at most.
    AND u.state_changed_at < changed_before - make_interval(secs => least(3600, power(2, least(u.copy_attempts, 12))))
  ORDER BY u.state_changed_at LIMIT at_most
$$;

CREATE FUNCTION reconcile_overdue(expired_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.organization_id FROM upload u
  WHERE u.state = 'issued'::upload_state AND u.url_expires_at < expired_before
  ORDER BY u.url_expires_at LIMIT at_most
$$;

CREATE FUNCTION reconcile_copies(created_before timestamptz, at_most integer)
RETURNS TABLE (organization_id uuid, upload_id uuid, attempt integer, key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.organization_id, c.upload_id, c.attempt, c.key FROM object_copy c
  WHERE c.created_at < created_before ORDER BY c.created_at LIMIT at_most
$$;

CREATE FUNCTION reconcile_deleted(deleted_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.id, u.organization_id FROM upload u
  WHERE u.state = 'deleted'::upload_state AND u.state_changed_at < deleted_before
  ORDER BY u.state_changed_at LIMIT at_most
$$;

CREATE FUNCTION reconcile_purging(purging_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid, key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT o.id, o.organization_id, o.key FROM stored_object o
  WHERE o.purging_at IS NOT NULL AND o.purging_at < purging_before
  ORDER BY o.purging_at LIMIT at_most
$$;

-- Keys past their 24 hours, of every tenant: nothing of them is read, so the function deletes by itself.
CREATE FUNCTION sweep_idempotency_keys(created_before timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH gone AS (DELETE FROM idempotency_key WHERE created_at < created_before RETURNING 1) SELECT count(*) FROM gone
$$;
CREATE POLICY sweeper ON idempotency_key FOR DELETE TO scandock_definer USING (true);
GRANT DELETE ON idempotency_key TO scandock_definer;

-- How many records stand in each unsettled state, and since when the oldest does: the figures an operator is woken by.
CREATE FUNCTION ledger_summary() RETURNS TABLE (state upload_state, records bigint, oldest timestamptz, parked bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.state, count(*), min(u.state_changed_at), count(u.parked_at) FROM upload u
  WHERE u.state = ANY (ARRAY['issued'::upload_state, 'landed'::upload_state, 'verified'::upload_state])
  GROUP BY u.state
$$;

DO $$
DECLARE
  reconciler_function text;
BEGIN
  FOREACH reconciler_function IN ARRAY ARRAY[
    'reconcile_lookup(uuid[])', 'reconcile_stalled(timestamptz, integer)', 'reconcile_overdue(timestamptz, integer)',
    'reconcile_copies(timestamptz, integer)', 'reconcile_deleted(timestamptz, integer)',
    'reconcile_purging(timestamptz, integer)', 'sweep_idempotency_keys(timestamptz)', 'ledger_summary()'
  ] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO scandock_definer', reconciler_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', reconciler_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO scandock_worker', reconciler_function);
  END LOOP;
END $$;
