-- What exports of the ledger are made of: the forms that seals were made over, as they were then.

-- CreateTable
CREATE TABLE "audit_forms" (
    "organization_id" UUID NOT NULL,
    "first_position" BIGINT NOT NULL,
    "sealed_forms" BYTEA NOT NULL,
    CONSTRAINT "audit_forms_pkey" PRIMARY KEY ("organization_id","first_position")
);

ALTER TABLE audit_forms ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_forms FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_forms USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
REVOKE ALL ON audit_forms FROM PUBLIC;
-- Only the worker seals, and only it exports.
GRANT SELECT, INSERT ON audit_forms TO scandock_worker;
ALTER TABLE audit_forms ADD CONSTRAINT audit_forms_position CHECK (first_position > 0);
ALTER TABLE audit_forms ALTER COLUMN sealed_forms SET STORAGE EXTERNAL; -- they come compressed

-- With a month that is retired go the forms of all trees that have events of it: what a tree has of other months is in their rows.
CREATE FUNCTION audit_retired_without_forms() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  DELETE FROM audit_forms f USING audit_tree t
  WHERE t.organization_id = NEW.organization_id
    AND t.last_time >= NEW.month::timestamp AT TIME ZONE 'UTC'
    AND t.first_time < (NEW.month + interval '1 month') AT TIME ZONE 'UTC'
    AND f.organization_id = t.organization_id
    AND f.first_position >= t.first_position AND f.first_position < t.first_position + t.size;
  RETURN NULL;
END $$;
CREATE TRIGGER audit_retired_without_forms AFTER INSERT ON audit_retired
  FOR EACH ROW EXECUTE FUNCTION audit_retired_without_forms();

-- As before; but whoever has the events of an organization has their forms.
CREATE OR REPLACE FUNCTION tenant_tables() RETURNS TABLE (name text, secrets text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.relname::text,
         coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname ~ '(^sealed_|_hash$|^hash$)'), '{}')
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND c.relname !~ '^audit_event_\d{4}_\d{2}$' AND c.relname <> 'audit_forms'
    AND EXISTS (SELECT 1 FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'organization_id' AND NOT o.attisdropped)
  GROUP BY c.relname ORDER BY 1
$$;
