-- Seals over the audit ledger: what is not sealed yet, trees of what is, the heads over all organizations, and their keys.

-- CreateTable
CREATE TABLE "audit_unsealed" (
    "organization_id" UUID NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "event_id" UUID NOT NULL,
    CONSTRAINT "audit_unsealed_pkey" PRIMARY KEY ("organization_id","occurred_at","event_id")
);

-- CreateTable
CREATE TABLE "audit_key" (
    "kid" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "sealed_private" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audit_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "audit_tree" (
    "organization_id" UUID NOT NULL,
    "first_position" BIGINT NOT NULL,
    "size" INTEGER NOT NULL,
    "seal_number" BIGINT NOT NULL,
    "sealed_at" TIMESTAMPTZ(3) NOT NULL,
    "root" BYTEA NOT NULL,
    "previous" BYTEA NOT NULL,
    "entry" BYTEA NOT NULL,
    "kid" TEXT NOT NULL,
    "signature" BYTEA NOT NULL,
    "event_ids" UUID[],
    "event_times" TIMESTAMPTZ(3)[],
    "leaves" BYTEA NOT NULL,
    "first_time" TIMESTAMPTZ(3) NOT NULL,
    "last_time" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audit_tree_pkey" PRIMARY KEY ("organization_id","first_position")
);

-- CreateTable
CREATE TABLE "audit_seal" (
    "number" BIGINT NOT NULL,
    "sealed_at" TIMESTAMPTZ(3) NOT NULL,
    "previous" BYTEA NOT NULL,
    "root" BYTEA NOT NULL,
    "head" BYTEA NOT NULL,
    "kid" TEXT NOT NULL,
    "signature" BYTEA NOT NULL,
    CONSTRAINT "audit_seal_pkey" PRIMARY KEY ("number")
);

-- CreateTable
CREATE TABLE "audit_anchor" (
    "place" TEXT NOT NULL,
    "seal_number" BIGINT NOT NULL,
    "anchored_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audit_anchor_pkey" PRIMARY KEY ("place","seal_number")
);

-- CreateIndex
CREATE INDEX "audit_tree_organization_id_seal_number_first_position_idx" ON "audit_tree"("organization_id", "seal_number", "first_position");

-- CreateIndex
CREATE INDEX "audit_tree_organization_id_last_time_first_time_idx" ON "audit_tree"("organization_id", "last_time", "first_time");

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['audit_unsealed', 'audit_tree'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
  END LOOP;
END $$;
REVOKE ALL ON audit_unsealed, audit_tree, audit_seal, audit_key, audit_anchor FROM PUBLIC;
-- Only the worker seals, and only it can open a private key, with the master key.
GRANT SELECT, INSERT ON audit_unsealed TO scandock_app;
GRANT SELECT ON audit_tree, audit_seal, audit_anchor TO scandock_app;
GRANT SELECT (kid, public_key, created_at) ON audit_key TO scandock_app;
GRANT DELETE ON audit_unsealed TO scandock_worker;
GRANT INSERT ON audit_tree, audit_seal, audit_anchor TO scandock_worker;
GRANT SELECT, INSERT ON audit_key TO scandock_worker;

ALTER TABLE audit_tree
  ADD CONSTRAINT audit_tree_positions CHECK (first_position > 0 AND size > 0),
  ADD CONSTRAINT audit_tree_whole CHECK (
    cardinality(event_ids) = size AND cardinality(event_times) = size AND octet_length(leaves) = 32 * size);
-- Hashes and ids do not compress.
ALTER TABLE audit_tree ALTER COLUMN event_ids SET STORAGE EXTERNAL, ALTER COLUMN leaves SET STORAGE EXTERNAL;

-- Insert-only, for the owner as well.
CREATE FUNCTION audit_seal_is_insert_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'seals are insert-only' USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$
DECLARE
  insert_only text;
BEGIN
  FOREACH insert_only IN ARRAY ARRAY['audit_tree', 'audit_seal', 'audit_key', 'audit_anchor'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
      FOR EACH STATEMENT EXECUTE FUNCTION audit_seal_is_insert_only()', insert_only || '_no_change', insert_only);
  END LOOP;
END $$;

-- Each event is queued for its seal by whoever writes it. A statement's rows in one go: an event costs one index entry.
CREATE FUNCTION audit_event_await_seal() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO audit_unsealed (organization_id, occurred_at, event_id)
  SELECT organization_id, occurred_at, id FROM added;
  RETURN NULL;
END $$;
CREATE TRIGGER audit_event_await_seal AFTER INSERT ON audit_event
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_event_await_seal();

-- What the sealer sees across tenants: who has events that wait, how many and since when; and what a head is made over.
CREATE FUNCTION audit_unsealed_organizations() RETURNS TABLE (organization_id uuid, records bigint, oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.organization_id, count(*), min(u.occurred_at) FROM audit_unsealed u GROUP BY u.organization_id ORDER BY 1
$$;
-- The newest entry of each organization as of a seal. Hashes: an organization's own proof holds those of its neighbours.
CREATE FUNCTION audit_newest_entries(as_of bigint) RETURNS TABLE (organization_id uuid, entry bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE known AS (
    (SELECT t.organization_id AS id FROM audit_tree t ORDER BY t.organization_id LIMIT 1)
    UNION ALL
    SELECT following.id FROM known CROSS JOIN LATERAL (
      SELECT t.organization_id AS id FROM audit_tree t WHERE t.organization_id > known.id ORDER BY t.organization_id LIMIT 1
    ) AS following
  )
  SELECT known.id, newest.entry FROM known
  CROSS JOIN LATERAL (
    SELECT t.entry FROM audit_tree t WHERE t.organization_id = known.id AND t.seal_number <= as_of
    ORDER BY t.seal_number DESC, t.first_position DESC LIMIT 1) AS newest
  ORDER BY known.id
$$;
-- What was made for a seal, one organization after another.
CREATE FUNCTION audit_entries_for(seal bigint) RETURNS TABLE (organization_id uuid, previous bytea, entry bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE known AS (
    (SELECT t.organization_id AS id FROM audit_tree t ORDER BY t.organization_id LIMIT 1)
    UNION ALL
    SELECT following.id FROM known CROSS JOIN LATERAL (
      SELECT t.organization_id AS id FROM audit_tree t WHERE t.organization_id > known.id ORDER BY t.organization_id LIMIT 1
    ) AS following
  )
  SELECT known.id, made.previous, made.entry FROM known
  CROSS JOIN LATERAL (
    SELECT t.first_position, t.previous, t.entry FROM audit_tree t
    WHERE t.organization_id = known.id AND t.seal_number = seal) AS made
  ORDER BY known.id, made.first_position
$$;
DO $$
DECLARE
  resolved_table text;
BEGIN
  FOREACH resolved_table IN ARRAY ARRAY['audit_unsealed', 'audit_tree'] LOOP
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', resolved_table);
  END LOOP;
END $$;
GRANT SELECT ON audit_unsealed TO scandock_definer;
GRANT SELECT (organization_id, first_position, seal_number, previous, entry) ON audit_tree TO scandock_definer;
ALTER FUNCTION audit_unsealed_organizations() OWNER TO scandock_definer;
ALTER FUNCTION audit_newest_entries(bigint) OWNER TO scandock_definer;
ALTER FUNCTION audit_entries_for(bigint) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION audit_unsealed_organizations(), audit_newest_entries(bigint), audit_entries_for(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_unsealed_organizations(), audit_entries_for(bigint) TO scandock_worker;
GRANT EXECUTE ON FUNCTION audit_newest_entries(bigint) TO scandock_app;

-- As before; but of the ledger nothing is purged: neither events nor what proves them.
CREATE OR REPLACE FUNCTION purge_organization(wanted uuid, at_most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  next_table text;
  gone bigint;
BEGIN
  PERFORM 1 FROM organization_deletion d WHERE d.organization_id = wanted AND d.state = 'purging';
  IF NOT FOUND OR wanted IS DISTINCT FROM nullif(current_setting('app.organization_id', true), '')::uuid THEN
    RAISE EXCEPTION 'No purge of this organization was asked for.' USING ERRCODE = 'insufficient_privilege';
  END IF;

  -- Two pairs of tables refer to each other, and entries of an archive to the archive: these are let go first.
  UPDATE slot SET filled_by_id = NULL WHERE ctid = ANY (ARRAY(
    SELECT s.ctid FROM slot s WHERE s.organization_id = wanted AND s.filled_by_id IS NOT NULL LIMIT at_most));
  IF FOUND THEN RETURN 0; END IF;
  UPDATE inspect_file SET upload_id = NULL, completed_at = NULL WHERE ctid = ANY (ARRAY(
    SELECT f.ctid FROM inspect_file f WHERE f.organization_id = wanted AND f.upload_id IS NOT NULL LIMIT at_most));
  IF FOUND THEN RETURN 0; END IF;
  UPDATE upload SET parent_id = NULL WHERE ctid = ANY (ARRAY(
    SELECT u.ctid FROM upload u WHERE u.organization_id = wanted AND u.parent_id IS NOT NULL LIMIT at_most));
  IF FOUND THEN RETURN 0; END IF;

  -- Whatever nothing refers to any more comes first.
  FOR next_table IN
    WITH RECURSIVE reference AS (
      SELECT k.conrelid AS child, k.confrelid AS parent FROM pg_constraint k
      WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace AND k.conrelid <> k.confrelid
        AND (k.conrelid, k.confrelid) NOT IN (
          ('slot'::regclass, 'upload'::regclass), ('inspect_file'::regclass, 'upload'::regclass))
    ), tenant AS (
      SELECT to_regclass(format('public.%I', t.name))::oid AS id, t.name FROM tenant_tables() t
      WHERE t.name NOT LIKE 'audit\_%' AND t.name <> 'organization_deletion'
    ), depth AS (
      SELECT id, 0 AS depth FROM tenant
      UNION
      SELECT r.parent, d.depth + 1 FROM depth d JOIN reference r ON r.child = d.id WHERE d.depth < 32
    )
    SELECT t.name FROM tenant t JOIN depth d ON d.id = t.id GROUP BY t.name ORDER BY max(d.depth), t.name
  LOOP
    EXECUTE format(
      'DELETE FROM public.%I WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.%I WHERE organization_id = $1 LIMIT $2))',
      next_table, next_table) USING wanted, at_most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN RETURN gone; END IF;
  END LOOP;
  RETURN NULL;
END $$;
