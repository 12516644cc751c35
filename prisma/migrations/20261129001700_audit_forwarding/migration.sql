-- How far each organization's ledger has been forwarded to a syslog receiver. The sealed ledger itself is what is kept until
-- then, so that nothing else is.

-- CreateTable
CREATE TABLE "audit_forwarding" (
    "organization_id" UUID NOT NULL,
    "position" BIGINT NOT NULL,
    "forwarded_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "audit_forwarding_pkey" PRIMARY KEY ("organization_id")
);

ALTER TABLE audit_forwarding ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_forwarding FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_forwarding
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
ALTER TABLE audit_forwarding ADD CONSTRAINT audit_forwarding_position CHECK (position >= 0);
REVOKE ALL ON audit_forwarding FROM PUBLIC;
-- Only the worker forwards.
GRANT SELECT ON audit_forwarding TO scandock_app;
GRANT INSERT, UPDATE (position, forwarded_at) ON audit_forwarding TO scandock_worker;

-- Whose sealed events have not been forwarded: how far they have been, the newest there is, and the earliest time in the tree
-- the next one is in. Those that wait the longest first.
CREATE FUNCTION audit_forwarding_behind() RETURNS TABLE (
  organization_id uuid, forwarded bigint, newest bigint, oldest timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE known AS (
    (SELECT t.organization_id AS id FROM audit_tree t ORDER BY t.organization_id LIMIT 1)
    UNION ALL
    SELECT following.id FROM known CROSS JOIN LATERAL (
      SELECT t.organization_id AS id FROM audit_tree t WHERE t.organization_id > known.id ORDER BY t.organization_id LIMIT 1
    ) AS following
  ), standing AS (
    SELECT known.id, coalesce(f.position, 0) AS forwarded, last.newest FROM known
    CROSS JOIN LATERAL (
      SELECT t.first_position + t.size - 1 AS newest FROM audit_tree t WHERE t.organization_id = known.id
      ORDER BY t.first_position DESC LIMIT 1) AS last
    LEFT JOIN audit_forwarding f ON f.organization_id = known.id
  )
  SELECT s.id, s.forwarded, s.newest, next.first_time FROM standing s
  CROSS JOIN LATERAL (
    SELECT t.first_time FROM audit_tree t WHERE t.organization_id = s.id AND t.first_position <= s.forwarded + 1
    ORDER BY t.first_position DESC LIMIT 1) AS next
  WHERE s.newest > s.forwarded ORDER BY next.first_time, s.id
$$;
CREATE POLICY resolver ON audit_forwarding FOR SELECT TO scandock_definer USING (true);
GRANT SELECT (organization_id, position) ON audit_forwarding TO scandock_definer;
GRANT SELECT (size, first_time) ON audit_tree TO scandock_definer;
ALTER FUNCTION audit_forwarding_behind() OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION audit_forwarding_behind() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_forwarding_behind() TO scandock_worker;
