-- How long events stay: legal holds, months that were retired, and what the owner of the tables does about partitions.

-- CreateTable
CREATE TABLE "audit_hold" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "reference" TEXT NOT NULL,
    "from_time" TIMESTAMPTZ(3),
    "to_time" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by_kind" TEXT NOT NULL,
    "created_by_id" UUID NOT NULL,
    "released_at" TIMESTAMPTZ(3),
    "released_by_kind" TEXT,
    "released_by_id" UUID,
    CONSTRAINT "audit_hold_pkey" PRIMARY KEY ("organization_id","id")
);

-- CreateTable
CREATE TABLE "audit_retired" (
    "organization_id" UUID NOT NULL,
    "month" DATE NOT NULL,
    "export_id" UUID NOT NULL,
    "export_key" TEXT NOT NULL,
    "manifest_key" TEXT NOT NULL,
    "manifest_sha256" BYTEA NOT NULL,
    "events" BIGINT NOT NULL,
    "first_position" BIGINT NOT NULL,
    "last_position" BIGINT NOT NULL,
    "retired_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audit_retired_pkey" PRIMARY KEY ("organization_id","month")
);

-- CreateIndex
CREATE INDEX "audit_hold_organization_id_created_at_id_idx" ON "audit_hold"("organization_id", "created_at", "id");

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['audit_hold', 'audit_retired'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
  END LOOP;
END $$;
REVOKE ALL ON audit_hold, audit_retired FROM PUBLIC;
-- A hold is released, never changed or removed. What is retired only the owner of the tables writes.
GRANT SELECT, INSERT, UPDATE (released_at, released_by_kind, released_by_id) ON audit_hold TO scandock_app;
GRANT SELECT ON audit_retired TO scandock_app;

ALTER TABLE audit_hold
  ADD CONSTRAINT audit_hold_reference CHECK (char_length(reference) BETWEEN 1 AND 100),
  ADD CONSTRAINT audit_hold_range CHECK (from_time < to_time),
  ADD CONSTRAINT audit_hold_release CHECK (num_nulls(released_at, released_by_kind, released_by_id) IN (0, 3));
ALTER TABLE audit_retired
  ADD CONSTRAINT audit_retired_month CHECK (extract(day FROM month) = 1),
  ADD CONSTRAINT audit_retired_events CHECK (events > 0 AND first_position > 0 AND last_position >= first_position);

CREATE TRIGGER audit_retired_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_retired
  FOR EACH STATEMENT EXECUTE FUNCTION audit_seal_is_insert_only();
-- For the owner as well: who placed a hold, when and for what stays, and a release is for good.
CREATE FUNCTION audit_hold_is_released_once() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.released_at IS NULL AND NEW.released_at IS NOT NULL
    AND to_jsonb(NEW) - ARRAY['released_at', 'released_by_kind', 'released_by_id']
      = to_jsonb(OLD) - ARRAY['released_at', 'released_by_kind', 'released_by_id'] THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'a hold is released once, and not changed' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_hold_no_change BEFORE UPDATE OR DELETE ON audit_hold
  FOR EACH ROW EXECUTE FUNCTION audit_hold_is_released_once();
CREATE TRIGGER audit_hold_no_truncate BEFORE TRUNCATE ON audit_hold
  FOR EACH STATEMENT EXECUTE FUNCTION audit_seal_is_insert_only();

-- What is looked up across tenants: whose events are in a month, and how many; what waits for its seal; who holds it.
DO $$
DECLARE
  resolved_table text;
BEGIN
  FOREACH resolved_table IN ARRAY ARRAY['audit_event', 'audit_event_default', 'audit_hold', 'audit_retired'] LOOP
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', resolved_table);
  END LOOP;
END $$;
GRANT SELECT (organization_id, occurred_at) ON audit_event, audit_event_default TO scandock_definer;
GRANT SELECT (organization_id, from_time, to_time, released_at) ON audit_hold TO scandock_definer;
GRANT SELECT (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events) ON audit_retired
  TO scandock_definer;

-- The organizations with events in a month: how many, how many of them wait for their seal, whether a hold touches it.
CREATE FUNCTION audit_month_organizations(of_month date)
RETURNS TABLE (organization_id uuid, records bigint, unsealed bigint, held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH bounds AS (
    SELECT of_month::timestamp AT TIME ZONE 'UTC' AS since, (of_month + interval '1 month') AT TIME ZONE 'UTC' AS until
  ), written AS (
    SELECT e.organization_id, count(*) AS records FROM audit_event e
    WHERE e.occurred_at >= of_month::timestamp AT TIME ZONE 'UTC'
      AND e.occurred_at < (of_month + interval '1 month') AT TIME ZONE 'UTC' -- as they stand, or no partition is left out
    GROUP BY 1
  ), waiting AS (
    SELECT u.organization_id, count(*) AS unsealed FROM audit_unsealed u, bounds b
    WHERE u.occurred_at >= b.since AND u.occurred_at < b.until GROUP BY 1
  )
  SELECT organization_id, coalesce(w.records, 0), coalesce(q.unsealed, 0),
         EXISTS (SELECT 1 FROM audit_hold h, bounds b
                 WHERE h.organization_id = coalesce(w.organization_id, q.organization_id) AND h.released_at IS NULL
                   AND (h.from_time IS NULL OR h.from_time < b.until) AND (h.to_time IS NULL OR h.to_time > b.since))
  FROM written w FULL JOIN waiting q USING (organization_id) ORDER BY 1
$$;
-- The organizations of which that month was retired, the exports kept for it, and whether a hold touches it now.
CREATE FUNCTION audit_retired_organizations(of_month date)
RETURNS TABLE (organization_id uuid, id uuid, export_key text, manifest_key text, manifest_sha256 bytea, records bigint,
               held boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT r.organization_id, r.export_id, r.export_key, r.manifest_key, r.manifest_sha256, r.events,
         EXISTS (SELECT 1 FROM audit_hold h
                 WHERE h.organization_id = r.organization_id AND h.released_at IS NULL
                   AND (h.from_time IS NULL OR h.from_time < (of_month + interval '1 month') AT TIME ZONE 'UTC')
                   AND (h.to_time IS NULL OR h.to_time > of_month::timestamp AT TIME ZONE 'UTC'))
  FROM audit_retired r WHERE r.month = of_month ORDER BY 1
$$;
-- Rows that no month's partition took, counted up to a thousand: the figure an operator is woken by.
CREATE FUNCTION audit_default_records() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT count(*) FROM (
    SELECT 1 FROM audit_event_default e ORDER BY e.organization_id, e.occurred_at LIMIT 1000) AS found
$$;
ALTER FUNCTION audit_month_organizations(date) OWNER TO scandock_definer;
ALTER FUNCTION audit_retired_organizations(date) OWNER TO scandock_definer;
ALTER FUNCTION audit_default_records() OWNER TO scandock_definer;
-- Of the first two the owner of the tables may make use, by being what the definer is; nobody else.
REVOKE ALL ON FUNCTION audit_month_organizations(date), audit_retired_organizations(date), audit_default_records() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_default_records() TO scandock_worker;

-- What follows acts as whoever calls it, and only the owner of the tables can: an administrator who has become it.

-- Moves the events of a month that lie in the default partition into one of their own. No row is deleted and no trigger is
-- off at any time: both tables are made anew, and the former one is dropped. The trigger that queues events for their seal
-- is of the whole ledger and not of its partitions, so none is queued twice. Returns how many were moved.
CREATE FUNCTION audit_adopt_month(of_month date) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
  first_day date := date_trunc('month', of_month)::date;
  since timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
  until timestamptz := (first_day + interval '1 month') AT TIME ZONE 'UTC';
  partition text := 'audit_event_' || to_char(first_day, 'YYYY_MM');
  former bigint;
  moved bigint;
  stayed bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit partitions', 0));
  LOCK TABLE public.audit_event IN ACCESS EXCLUSIVE MODE;
  IF to_regclass('public.' || partition) IS NOT NULL OR EXISTS (SELECT 1 FROM audit_retired_organizations(first_day)) THEN
    RAISE EXCEPTION 'the month % has its partition, or was retired', to_char(first_day, 'YYYY-MM')
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  ALTER TABLE public.audit_event DETACH PARTITION public.audit_event_default;
  ALTER TABLE public.audit_event_default RENAME TO audit_event_former;
  ALTER TABLE public.audit_event_former NO FORCE ROW LEVEL SECURITY; -- all rows, for their owner; it is gone with this transaction
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.audit_event FOR VALUES FROM (%L) TO (%L)', partition, since, until);
  CREATE TABLE public.audit_event_default PARTITION OF public.audit_event DEFAULT;
  EXECUTE format('INSERT INTO public.%I SELECT * FROM public.audit_event_former WHERE occurred_at >= $1 AND occurred_at < $2',
    partition) USING since, until;
  GET DIAGNOSTICS moved = ROW_COUNT;
  INSERT INTO public.audit_event_default
  SELECT * FROM public.audit_event_former WHERE NOT (occurred_at >= since AND occurred_at < until);
  GET DIAGNOSTICS stayed = ROW_COUNT;
  SELECT count(*) INTO former FROM public.audit_event_former;
  IF moved + stayed <> former THEN
    RAISE EXCEPTION 'the default partition had % rows, and % were moved', former, moved + stayed;
  END IF;
  DROP TABLE public.audit_event_former;
  PERFORM audit_secure_partition(partition);
  PERFORM audit_secure_partition('audit_event_default');
  CREATE POLICY resolver ON public.audit_event_default FOR SELECT TO scandock_definer USING (true);
  GRANT SELECT (organization_id, occurred_at) ON public.audit_event_default TO scandock_definer;
  RETURN moved;
END $$;

-- Takes a month out of the ledger, in one transaction: for each organization what is kept of it and the event that tells
-- so, then the partition, which stays as a table of its own that nobody can write to. `exports` names for each organization
-- the export that somebody has verified: [{ organization_id, export_id, export_key, manifest_key, manifest_sha256 (hex),
-- events, event_id }]. All else is looked up here, so that whoever calls this by hand meets the same refusals.
CREATE FUNCTION audit_retire_month(of_month date, at timestamptz, exports jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  since timestamptz := of_month::timestamp AT TIME ZONE 'UTC';
  until timestamptz := (of_month + interval '1 month') AT TIME ZONE 'UTC';
  partition text := 'audit_event_' || to_char(of_month, 'YYYY_MM');
  former_organization text := current_setting('app.organization_id', true);
  month_of record;
  given jsonb;
  sealed record;
  retired bigint := 0;
BEGIN
  IF extract(day FROM of_month) <> 1 OR until > now() THEN
    RAISE EXCEPTION 'the month is not over' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('audit partitions', 0));
  IF NOT EXISTS (SELECT 1 FROM pg_inherits i
                 WHERE i.inhrelid = to_regclass('public.' || partition) AND i.inhparent = 'public.audit_event'::regclass) THEN
    RAISE EXCEPTION 'the ledger has no partition of that month' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  -- From here on no event of that month is written, and none that is being written is overlooked.
  EXECUTE format('LOCK TABLE ONLY public.%I IN SHARE MODE', partition);

  FOR month_of IN
    -- Those without any, too: theirs may have been removed.
    SELECT coalesce(o, m.organization_id) AS organization_id, coalesce(m.records, 0) AS records, coalesce(m.unsealed, 0) AS unsealed
    FROM organization_ids() o FULL JOIN audit_month_organizations(of_month) m ON m.organization_id = o
    ORDER BY 1
  LOOP
    PERFORM set_config('app.organization_id', month_of.organization_id::text, true);
    SELECT count(*) AS events, min(t.first_position + u.place - 1) AS first, max(t.first_position + u.place - 1) AS last
      INTO sealed
    FROM audit_tree t CROSS JOIN LATERAL unnest(t.event_times) WITH ORDINALITY AS u(occurred_at, place)
    WHERE t.organization_id = month_of.organization_id AND t.last_time >= since AND t.first_time < until
      AND u.occurred_at >= since AND u.occurred_at < until;
    IF month_of.unsealed > 0 THEN
      RAISE EXCEPTION 'events of that month are not sealed yet'
        USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = month_of.organization_id;
    END IF;
    IF month_of.records <> sealed.events THEN
      RAISE EXCEPTION 'the ledger holds % events of that month, where % were sealed', month_of.records, sealed.events
        USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = month_of.organization_id;
    END IF;
    CONTINUE WHEN month_of.records = 0;

    SELECT e INTO given FROM jsonb_array_elements(exports) e WHERE e->>'organization_id' = month_of.organization_id::text;
    IF given IS NULL OR (given->>'events')::bigint <> month_of.records THEN
      RAISE EXCEPTION 'no verified export has the % events of that month', month_of.records
        USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = month_of.organization_id;
    END IF;
    INSERT INTO audit_retired (organization_id, month, export_id, export_key, manifest_key, manifest_sha256, events,
                               first_position, last_position, retired_at)
    VALUES (month_of.organization_id, of_month, (given->>'export_id')::uuid, given->>'export_key', given->>'manifest_key',
            decode(given->>'manifest_sha256', 'hex'), month_of.records, sealed.first, sealed.last, at);
    INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                             scopes, detail)
    VALUES ((given->>'event_id')::uuid, at, month_of.organization_id, 'system', 'operator', 'audit:retired', 'success',
            'AuditExport', given->>'export_id', '{}',
            jsonb_build_object('month', to_char(of_month, 'YYYY-MM'), 'events', month_of.records,
                               'export', given->>'export_id'));
    retired := retired + month_of.records;
  END LOOP;
  PERFORM set_config('app.organization_id', coalesce(former_organization, ''), true);

  -- Last, and until this commits nobody places another.
  LOCK TABLE audit_hold IN SHARE MODE;
  SELECT m.organization_id INTO month_of FROM audit_month_organizations(of_month) m WHERE m.held LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'a legal hold keeps that month'
      USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = month_of.organization_id;
  END IF;
  -- Not CONCURRENTLY: Postgres does not do that beside a default partition. It is a change of the catalog alone.
  EXECUTE format('ALTER TABLE public.audit_event DETACH PARTITION public.%I', partition);
  -- The triggers it had of the ledger went with it.
  EXECUTE format('CREATE TRIGGER audit_event_no_change BEFORE INSERT OR UPDATE OR DELETE ON public.%I
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_insert_only()', partition);
  RETURN retired;
END $$;

-- Drops the table of a month that was retired, after its exports were verified once more. `events`: ids for the events that
-- tell so, [{ organization_id, event_id }]. Returns how many rows it had.
CREATE FUNCTION audit_drop_month(of_month date, at timestamptz, events jsonb) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  partition text := 'audit_event_' || to_char(of_month, 'YYYY_MM');
  former_organization text := current_setting('app.organization_id', true);
  retired record;
  given jsonb;
  kept bigint := 0;
  found_rows bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit partitions', 0));
  IF to_regclass('public.' || partition) IS NULL
    OR EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = to_regclass('public.' || partition)) THEN
    RAISE EXCEPTION 'there is no table of a retired month' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  LOCK TABLE audit_hold IN SHARE MODE;
  FOR retired IN SELECT * FROM audit_retired_organizations(of_month) LOOP
    IF retired.held THEN
      RAISE EXCEPTION 'a legal hold keeps that month'
        USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = retired.organization_id;
    END IF;
    SELECT e INTO given FROM jsonb_array_elements(events) e WHERE e->>'organization_id' = retired.organization_id::text;
    IF given IS NULL THEN
      RAISE EXCEPTION 'nobody has looked after the export of that month'
        USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = retired.organization_id;
    END IF;
    PERFORM set_config('app.organization_id', retired.organization_id::text, true);
    INSERT INTO audit_event (id, occurred_at, organization_id, actor_kind, actor_id, action, outcome, resource_type, resource_id,
                             scopes, detail)
    VALUES ((given->>'event_id')::uuid, at, retired.organization_id, 'system', 'operator', 'audit:dropped', 'success',
            'AuditExport', retired.id::text, '{}',
            jsonb_build_object('month', to_char(of_month, 'YYYY-MM'), 'events', retired.records, 'export', retired.id));
    kept := kept + retired.records;
  END LOOP;
  PERFORM set_config('app.organization_id', coalesce(former_organization, ''), true);
  EXECUTE format('ALTER TABLE public.%I NO FORCE ROW LEVEL SECURITY', partition); -- it is gone with this transaction
  EXECUTE format('SELECT count(*) FROM public.%I', partition) INTO found_rows;
  IF found_rows <> kept THEN
    RAISE EXCEPTION 'the table has % rows, where % are in exports', found_rows, kept
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  EXECUTE format('DROP TABLE public.%I', partition);
  RETURN found_rows;
END $$;
REVOKE ALL ON FUNCTION audit_adopt_month(date), audit_retire_month(date, timestamptz, jsonb),
  audit_drop_month(date, timestamptz, jsonb) FROM PUBLIC;

-- As before; but the table of a retired month is no table of tenants any more: nobody exports it.
CREATE OR REPLACE FUNCTION tenant_tables() RETURNS TABLE (name text, secrets text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.relname::text,
         coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname ~ '(^sealed_|_hash$|^hash$)'), '{}')
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname !~ '^audit_event_\d{4}_\d{2}$'
    AND EXISTS (SELECT 1 FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'organization_id' AND NOT o.attisdropped)
  GROUP BY c.relname ORDER BY 1
$$;
