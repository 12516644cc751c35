-- What a head is made over is signed before it is believed: the whole of it is needed for that. The columns that were there keep
-- their names, for the version that still runs.
DROP FUNCTION audit_entries_for(bigint);
CREATE FUNCTION audit_entries_for(seal bigint) RETURNS TABLE (
  organization_id uuid, first_position bigint, size integer, seal_number bigint, sealed_at timestamptz, root bytea, previous bytea,
  entry bytea, kid text, signature bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  WITH RECURSIVE known AS (
    (SELECT t.organization_id AS id FROM audit_tree t ORDER BY t.organization_id LIMIT 1)
    UNION ALL
    SELECT following.id FROM known CROSS JOIN LATERAL (
      SELECT t.organization_id AS id FROM audit_tree t WHERE t.organization_id > known.id ORDER BY t.organization_id LIMIT 1
    ) AS following
  )
  SELECT known.id, made.first_position, made.size, made.seal_number, made.sealed_at, made.root, made.previous, made.entry, made.kid,
         made.signature
  FROM known
  CROSS JOIN LATERAL (
    SELECT t.first_position, t.size, t.seal_number, t.sealed_at, t.root, t.previous, t.entry, t.kid, t.signature FROM audit_tree t
    WHERE t.organization_id = known.id AND t.seal_number = seal) AS made
  ORDER BY known.id, made.first_position
$$;
-- The newest tree before a seal of each organization that one was made for it: what they have to follow from.
CREATE FUNCTION audit_entries_followed(seal bigint) RETURNS TABLE (
  organization_id uuid, first_position bigint, size integer, seal_number bigint, sealed_at timestamptz, root bytea, previous bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT made.organization_id, newest.first_position, newest.size, newest.seal_number, newest.sealed_at, newest.root, newest.previous
  FROM (SELECT DISTINCT m.organization_id FROM audit_entries_for(seal) m) AS made
  CROSS JOIN LATERAL (
    SELECT t.first_position, t.size, t.seal_number, t.sealed_at, t.root, t.previous FROM audit_tree t
    WHERE t.organization_id = made.organization_id AND t.seal_number < seal
    ORDER BY t.seal_number DESC, t.first_position DESC LIMIT 1) AS newest
  ORDER BY made.organization_id
$$;
GRANT SELECT (size, sealed_at, root, kid, signature) ON audit_tree TO scandock_definer;
ALTER FUNCTION audit_entries_for(bigint) OWNER TO scandock_definer;
ALTER FUNCTION audit_entries_followed(bigint) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION audit_entries_for(bigint), audit_entries_followed(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_entries_for(bigint), audit_entries_followed(bigint) TO scandock_worker;

-- What stands in the place of an event that is gone is written by the sealer alone: from anybody else it would be a gap that nobody
-- has made, and no ledger with it in is valid again. The tables' owner moves it with what else a partition has.
CREATE FUNCTION audit_event_is_not_missing() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF pg_has_role('scandock_worker', 'USAGE')
    OR pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'only the sealer says that an event is missing' USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION audit_event_is_not_missing() FROM PUBLIC;
CREATE TRIGGER audit_event_not_missing BEFORE INSERT ON audit_event
  FOR EACH ROW WHEN (NEW.action = 'audit:missing-event') EXECUTE FUNCTION audit_event_is_not_missing();
