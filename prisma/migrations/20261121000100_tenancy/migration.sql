-- Tenancy in Postgres: row-level security on every tenant table, grants of the least each role needs, and the few
-- functions that may look across tenants. Roles are made by bootstrap (src/platform/database/bootstrap.ts):
--   scandock_owner    NOLOGIN, owns everything; subject to the policies too (FORCE)
--   scandock_definer  NOLOGIN, owns the functions that resolve a credential or id before the tenant is known
--   scandock_app      LOGIN, the API
--   scandock_worker   LOGIN, member of scandock_app, may also call the reconciler's functions

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY[
    'oauth_client', 'client_key', 'api_key', 'role', 'role_binding', 'slot', 'upload', 'object_copy', 'stored_object',
    'study', 'series', 'instance', 'exam', 'share_link', 'audit_event', 'idempotency_key'
  ] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    -- nullif: after a transaction-local setting ended, the setting is '' and its cast would fail instead of hiding rows.
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
  END LOOP;
END $$;

ALTER TABLE organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE organization FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON organization USING (id = nullif(current_setting('app.organization_id', true), '')::uuid);

-- Grants: nothing to PUBLIC, to the application only what its services do.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE ON organization, oauth_client, client_key, api_key, role, exam, slot, upload, share_link,
  signing_key TO scandock_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON role_binding, object_copy, stored_object, study, series, instance, idempotency_key
  TO scandock_app;
GRANT SELECT, INSERT ON audit_event TO scandock_app;

-- Exactly one principal a binding.
ALTER TABLE role_binding ADD CONSTRAINT role_binding_principal CHECK (num_nonnulls(oauth_client_id, api_key_id) = 1);

-- Before the tenant is known: a full hash or id in, ids and hashes out.
CREATE FUNCTION resolve_oauth_client(wanted text)
RETURNS TABLE (organization_id uuid, id uuid, key_id uuid, secret_hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.organization_id, c.id, k.id, k.secret_hash
  FROM oauth_client c
  JOIN organization o ON o.id = c.organization_id AND o.disabled_at IS NULL
  JOIN client_key k ON k.organization_id = c.organization_id AND k.oauth_client_id = c.id AND k.revoked_at IS NULL
  WHERE c.client_id = wanted AND c.disabled_at IS NULL
$$;

CREATE FUNCTION resolve_api_key(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, k.id
  FROM api_key k
  JOIN organization o ON o.id = k.organization_id AND o.disabled_at IS NULL
  WHERE k.key_hash = wanted AND k.revoked_at IS NULL
$$;

CREATE FUNCTION resolve_share_link(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT l.organization_id, l.id
  FROM share_link l
  JOIN organization o ON o.id = l.organization_id AND o.disabled_at IS NULL
  WHERE l.token_hash = wanted
$$;

-- Ids only: migrations and the operator's commands then enter each organization by the one seam.
CREATE FUNCTION organization_ids() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT id FROM organization
$$;

DO $$
DECLARE
  resolved_table text;
BEGIN
  FOREACH resolved_table IN ARRAY ARRAY['organization', 'oauth_client', 'client_key', 'api_key', 'share_link', 'upload',
    'object_copy', 'stored_object', 'idempotency_key'] LOOP
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', resolved_table);
    EXECUTE format('GRANT SELECT ON %I TO scandock_definer', resolved_table);
  END LOOP;
END $$;

ALTER FUNCTION resolve_oauth_client(text) OWNER TO scandock_definer;
ALTER FUNCTION resolve_api_key(bytea) OWNER TO scandock_definer;
ALTER FUNCTION resolve_share_link(bytea) OWNER TO scandock_definer;
ALTER FUNCTION organization_ids() OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION resolve_oauth_client(text), resolve_api_key(bytea), resolve_share_link(bytea), organization_ids() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION resolve_oauth_client(text), resolve_api_key(bytea), resolve_share_link(bytea) TO scandock_app;
GRANT EXECUTE ON FUNCTION organization_ids() TO scandock_worker;
