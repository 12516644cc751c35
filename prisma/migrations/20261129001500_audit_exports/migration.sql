-- Exports of the ledger: jobs that write sealed events into the bucket, part by part.

-- CreateEnum
CREATE TYPE "audit_export_format" AS ENUM ('csv', 'ndjson', 'fhir', 'dicom');

-- CreateEnum
CREATE TYPE "audit_export_state" AS ENUM ('queued', 'running', 'done', 'failed');

-- CreateTable
CREATE TABLE "audit_export" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "format" "audit_export_format" NOT NULL,
    "from_time" TIMESTAMPTZ(3),
    "to_time" TIMESTAMPTZ(3),
    "filters" JSONB NOT NULL,
    "state" "audit_export_state" NOT NULL,
    "requested_by_kind" TEXT NOT NULL,
    "requested_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "progressed_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "seal_number" BIGINT,
    "first_position" BIGINT,
    "next_position" BIGINT,
    "end_position" BIGINT,
    "rows" BIGINT NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "multipart_key" TEXT,
    "multipart_id" TEXT,
    "written" BOOLEAN NOT NULL DEFAULT false,
    "progress_mac" BYTEA,
    "manifest_sha256" BYTEA,
    "failure" TEXT,
    "first_bad" BIGINT,
    CONSTRAINT "audit_export_pkey" PRIMARY KEY ("organization_id","id")
);

-- CreateTable
CREATE TABLE "audit_export_part" (
    "organization_id" UUID NOT NULL,
    "export_id" UUID NOT NULL,
    "number" INTEGER NOT NULL,
    "etag" TEXT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "rows" BIGINT NOT NULL,
    "sha256" BYTEA NOT NULL,
    "next_position" BIGINT NOT NULL,
    "held" BIGINT[],
    CONSTRAINT "audit_export_part_pkey" PRIMARY KEY ("organization_id","export_id","number")
);

-- CreateIndex
CREATE INDEX "audit_export_organization_id_created_at_id_idx" ON "audit_export"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "audit_export_unfinished" ON "audit_export"("organization_id", "progressed_at") WHERE (finished_at IS NULL);

-- AddForeignKey
ALTER TABLE "audit_export_part" ADD CONSTRAINT "audit_export_part_organization_id_export_id_fkey" FOREIGN KEY ("organization_id", "export_id") REFERENCES "audit_export"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['audit_export', 'audit_export_part'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
  END LOOP;
END $$;
REVOKE ALL ON audit_export, audit_export_part FROM PUBLIC;
-- Whoever asks for one changes nothing of it any more: the worker says how far it is.
GRANT SELECT, INSERT ON audit_export TO scandock_app;
GRANT SELECT ON audit_export_part TO scandock_app;
GRANT UPDATE ON audit_export TO scandock_worker;
GRANT INSERT, DELETE ON audit_export_part TO scandock_worker;

ALTER TABLE audit_export
  ADD CONSTRAINT audit_export_finished CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)),
  ADD CONSTRAINT audit_export_done CHECK (state <> 'done' OR (written AND manifest_sha256 IS NOT NULL AND failure IS NULL)),
  ADD CONSTRAINT audit_export_failed CHECK (state <> 'failed' OR failure IS NOT NULL),
  ADD CONSTRAINT audit_export_interval CHECK (from_time < to_time);

-- Exports on which somebody has to go on.
CREATE FUNCTION audit_unfinished_exports(stalled_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT e.id, e.organization_id FROM audit_export e
  WHERE e.finished_at IS NULL AND e.progressed_at < stalled_before ORDER BY e.progressed_at LIMIT at_most
$$;
CREATE POLICY resolver ON audit_export FOR SELECT TO scandock_definer USING (true);
GRANT SELECT (id, organization_id, progressed_at, finished_at) ON audit_export TO scandock_definer;
ALTER FUNCTION audit_unfinished_exports(timestamptz, integer) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION audit_unfinished_exports(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_unfinished_exports(timestamptz, integer) TO scandock_worker;
