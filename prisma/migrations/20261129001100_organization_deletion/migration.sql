-- The end of an organization in two steps: its rows are exported, and later its bytes and rows are purged.

-- CreateEnum
CREATE TYPE "deletion_state" AS ENUM ('requested', 'exporting', 'exported', 'purging', 'purged');

-- CreateTable
CREATE TABLE "organization_deletion" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "state" "deletion_state" NOT NULL,
    "requested_by_kind" TEXT NOT NULL,
    "requested_by_id" UUID NOT NULL,
    "requested_at" TIMESTAMPTZ(3) NOT NULL,
    "progressed_at" TIMESTAMPTZ(3) NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "multipart_key" TEXT,
    "multipart_id" TEXT,
    "failure" TEXT,
    "export_key" TEXT,
    "export_sha256" BYTEA,
    "export_rows" BIGINT NOT NULL DEFAULT 0,
    "export_bytes" BIGINT NOT NULL DEFAULT 0,
    "manifest_key" TEXT,
    "exported_at" TIMESTAMPTZ(3),
    "purge_requested_at" TIMESTAMPTZ(3),
    "purged_objects" BIGINT NOT NULL DEFAULT 0,
    "purged_rows" BIGINT NOT NULL DEFAULT 0,
    "emptied_at" TIMESTAMPTZ(3),
    "purged_at" TIMESTAMPTZ(3),
    CONSTRAINT "organization_deletion_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "organization_deletion_organization_id_key" ON "organization_deletion"("organization_id");

-- CreateIndex
CREATE INDEX "organization_deletion_pending" ON "organization_deletion"("progressed_at") WHERE (purged_at IS NULL);

-- AddForeignKey
ALTER TABLE "organization_deletion" ADD CONSTRAINT "organization_deletion_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

ALTER TABLE organization_deletion ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization_deletion FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organization_deletion
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
REVOKE ALL ON organization_deletion FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON organization_deletion TO scandock_app;
ALTER TABLE organization_deletion ADD CONSTRAINT organization_deletion_exported CHECK (
  state IN ('requested', 'exporting')
  OR num_nulls(export_key, export_sha256, manifest_key, exported_at) = 0);
ALTER TABLE organization_deletion ADD CONSTRAINT organization_deletion_purging CHECK (
  (state IN ('purging', 'purged')) = (purge_requested_at IS NOT NULL) AND (state = 'purged') = (purged_at IS NOT NULL));

-- Deletions on which somebody has to go on: their job was lost, or what was under way in the bucket has come to rest.
CREATE FUNCTION reconcile_deletions(stalled_before timestamptz, emptied_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid, state deletion_state)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT d.id, d.organization_id, d.state FROM organization_deletion d
  WHERE d.purged_at IS NULL AND d.progressed_at < stalled_before
    AND d.state = ANY (ARRAY['requested'::deletion_state, 'exporting'::deletion_state, 'purging'::deletion_state])
    AND (d.emptied_at IS NULL OR d.emptied_at < emptied_before)
  ORDER BY d.progressed_at LIMIT at_most
$$;
CREATE POLICY resolver ON organization_deletion FOR SELECT TO scandock_definer USING (true);
GRANT SELECT ON organization_deletion TO scandock_definer;
ALTER FUNCTION reconcile_deletions(timestamptz, timestamptz, integer) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION reconcile_deletions(timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reconcile_deletions(timestamptz, timestamptz, integer) TO scandock_worker;

-- Every table with rows of organizations, from the catalog, so that a new one cannot be forgotten. Secrets' hashes and
-- sealed keys are known by their names, and are exported by nobody.
CREATE FUNCTION tenant_tables() RETURNS TABLE (name text, secrets text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.relname::text,
         coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname ~ '(^sealed_|_hash$|^hash$)'), '{}')
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND EXISTS (SELECT 1 FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'organization_id' AND NOT o.attisdropped)
  GROUP BY c.relname ORDER BY 1
$$;

-- A page of one table's rows of one organization as JSON, in the order of an index that begins with the organization, from
-- where the page before ended. By the caller's rights and row-level security. bytea is base64.
CREATE FUNCTION export_page(of_table text, wanted uuid, after_position text[], at_most integer)
RETURNS TABLE (line text, at_position text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  secret_columns text[];
  keys text[];
  keys_as_text text;
  keys_after text;
  bytes text;
BEGIN
  SELECT t.secrets INTO STRICT secret_columns FROM tenant_tables() t WHERE t.name = of_table;
  -- The primary key, or the best other unique order: an index that begins with the organization before one that does not.
  SELECT array_agg(a.attname::text ORDER BY k.place), string_agg(format('t.%I::text', a.attname), ', ' ORDER BY k.place),
         string_agg(format('($2[%s])::%s', k.place, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.place)
    INTO STRICT keys, keys_as_text, keys_after
  FROM (
    SELECT i.indrelid, i.indkey FROM pg_index i
    WHERE i.indrelid = to_regclass(format('public.%I', of_table)) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      -- Unique by itself, or because the primary key is within it.
      AND (i.indisunique OR EXISTS (
        SELECT 1 FROM pg_index p WHERE p.indrelid = i.indrelid AND p.indisprimary AND p.indkey::smallint[] <@ i.indkey::smallint[]))
      AND NOT EXISTS (
        SELECT 1 FROM pg_attribute n WHERE n.attrelid = i.indrelid AND n.attnum = ANY (i.indkey) AND NOT n.attnotnull)
    ORDER BY i.indkey[0] = (SELECT o.attnum FROM pg_attribute o WHERE o.attrelid = i.indrelid AND o.attname = 'organization_id') DESC,
             i.indisprimary DESC, i.indnatts, i.indexrelid LIMIT 1) AS chosen
  CROSS JOIN unnest(chosen.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
  JOIN pg_attribute a ON a.attrelid = chosen.indrelid AND a.attnum = k.number;
  SELECT string_agg(format('%L, replace(encode(t.%I, ''base64''), chr(10), '''')', a.attname, a.attname), ', ') INTO bytes
  FROM pg_attribute a
  WHERE a.attrelid = to_regclass(format('public.%I', of_table)) AND a.atttypid = 'bytea'::regtype AND NOT a.attisdropped
    AND a.attname <> ALL (secret_columns);
  RETURN QUERY EXECUTE format(
    'SELECT jsonb_build_object(''table'', %L::text, ''row'', (to_jsonb(t) || jsonb_build_object(%s)) - %L::text[])::text, ARRAY[%s]
     FROM public.%I t WHERE t.organization_id = $1 AND ($2 IS NULL OR (%s) > (%s))
     ORDER BY %s LIMIT $3',
    of_table, coalesce(bytes, ''), secret_columns, keys_as_text, of_table,
    (SELECT string_agg(format('t.%I', key), ', ' ORDER BY place) FROM unnest(keys) WITH ORDINALITY AS k(key, place)), keys_after,
    (SELECT string_agg(format('t.%I', key), ', ' ORDER BY place) FROM unnest(keys) WITH ORDINALITY AS k(key, place)))
  USING wanted, after_position, at_most;
END $$;

-- Deletes rows of an organization whose purge was asked for, `at_most` of one table, and returns how many; null when there
-- are none left. The ledger, the organization itself and this table's row stay.
-- The application may not delete most of them. Their owner may, and unlike scandock_definer, who skips every policy, it is
-- bound by row-level security; only what scandock_definer may sweep it may as well, hence the check of the organization
-- that the transaction is in.
CREATE FUNCTION purge_organization(wanted uuid, at_most integer) RETURNS bigint
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
      WHERE t.name NOT IN ('audit_event', 'organization_deletion')
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
ALTER FUNCTION purge_organization(uuid, integer) OWNER TO scandock_owner;

REVOKE ALL ON FUNCTION tenant_tables(), export_page(text, uuid, text[], integer), purge_organization(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_tables(), export_page(text, uuid, text[], integer), purge_organization(uuid, integer) TO scandock_worker;
