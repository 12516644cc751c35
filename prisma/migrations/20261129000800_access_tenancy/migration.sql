-- Groups, bindings to people, identity providers, tokens that are over before their time: policies, grants, checks, and
-- what may be seen of them before the tenant is known.

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['group', 'group_member', 'identity_provider', 'user_identity', 'revoked_token',
    'spent_token'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO scandock_app', tenant_table);
  END LOOP;
END $$;
GRANT UPDATE ON "group", identity_provider TO scandock_app;
GRANT DELETE ON "group", group_member, user_identity, role TO scandock_app;

-- Exactly one principal a binding, one member a membership; a limit has both its parts.
ALTER TABLE role_binding DROP CONSTRAINT role_binding_principal;
ALTER TABLE role_binding ADD CONSTRAINT role_binding_principal CHECK (num_nonnulls(oauth_client_id, api_key_id, user_id, group_id) = 1);
ALTER TABLE role_binding ADD CONSTRAINT role_binding_limit CHECK ((resource_type IS NULL) = (resource_id IS NULL));
ALTER TABLE group_member ADD CONSTRAINT group_member_one CHECK (num_nonnulls(user_id, member_group_id) = 1 AND member_group_id <> group_id);
ALTER TABLE user_session ADD CONSTRAINT user_session_door CHECK (num_nonnulls(api_key_id, provider_id) <= 1);
ALTER TABLE oauth_client ADD CONSTRAINT oauth_client_token_lifetime CHECK (token_lifetime BETWEEN 60 AND 3600);
-- The same role bound twice to the same would have to be removed twice.
CREATE UNIQUE INDEX role_binding_once
  ON role_binding (organization_id, role_id, oauth_client_id, api_key_id, user_id, group_id, resource_type, resource_id) NULLS NOT DISTINCT;

-- While a key is being rotated both its values are good.
CREATE OR REPLACE FUNCTION resolve_api_key(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, k.id
  FROM api_key k
  JOIN organization o ON o.id = k.organization_id AND o.disabled_at IS NULL
  WHERE (k.key_hash = wanted OR k.previous_key_hash = wanted) AND k.revoked_at IS NULL AND k.purpose = 'secret'::api_key_purpose
$$;

CREATE OR REPLACE FUNCTION resolve_portal_key(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, k.id
  FROM api_key k
  JOIN organization o ON o.id = k.organization_id AND o.disabled_at IS NULL
  WHERE (k.key_hash = wanted OR k.previous_key_hash = wanted) AND k.revoked_at IS NULL AND k.purpose = 'portal'::api_key_purpose
$$;

-- A client that signs its own assertions may have no secret (RFC 7523).
CREATE FUNCTION resolve_client_id(wanted text) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.organization_id, c.id
  FROM oauth_client c
  JOIN organization o ON o.id = c.organization_id AND o.disabled_at IS NULL
  WHERE c.client_id = wanted AND c.disabled_at IS NULL
$$;

-- For the platform's owner: ids, newest first, from where the page before ended. All else is read inside each organization.
CREATE FUNCTION organization_page(created_until timestamptz, id_before uuid, at_most integer)
RETURNS TABLE (id uuid, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT o.id, o.created_at FROM organization o
  WHERE (o.created_at, o.id) < (created_until, id_before)
  ORDER BY o.created_at DESC, o.id DESC LIMIT at_most
$$;
CREATE INDEX organization_created_at_id_idx ON organization (created_at, id);

-- What nobody can use any more need not be remembered. Of every tenant; nothing of it is read, so the function deletes
-- by itself.
CREATE FUNCTION sweep_tokens(expired_before timestamptz, at_most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  swept bigint;
  total bigint;
BEGIN
  DELETE FROM revoked_token WHERE (organization_id, jti) IN (
    SELECT r.organization_id, r.jti FROM revoked_token r WHERE r.expires_at < expired_before ORDER BY r.expires_at LIMIT at_most);
  GET DIAGNOSTICS total = ROW_COUNT;
  DELETE FROM spent_token WHERE (organization_id, hash) IN (
    SELECT s.organization_id, s.hash FROM spent_token s WHERE s.expires_at < expired_before ORDER BY s.expires_at LIMIT at_most);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN total + swept;
END $$;

DO $$
DECLARE
  swept_table text;
  resolver_function text;
BEGIN
  FOREACH swept_table IN ARRAY ARRAY['revoked_token', 'spent_token'] LOOP
    EXECUTE format('CREATE POLICY sweeper ON %I FOR DELETE TO scandock_definer USING (true)', swept_table);
    EXECUTE format('GRANT DELETE ON %I TO scandock_definer', swept_table);
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', swept_table);
    EXECUTE format('GRANT SELECT ON %I TO scandock_definer', swept_table);
  END LOOP;
  FOREACH resolver_function IN ARRAY ARRAY['resolve_client_id(text)', 'organization_page(timestamptz, uuid, integer)'] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO scandock_definer', resolver_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', resolver_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO scandock_app', resolver_function);
  END LOOP;
END $$;
ALTER FUNCTION sweep_tokens(timestamptz, integer) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION sweep_tokens(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sweep_tokens(timestamptz, integer) TO scandock_worker;
