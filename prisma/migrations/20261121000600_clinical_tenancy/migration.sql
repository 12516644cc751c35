-- Users, sign-in, inspect files, cases: policies, grants, and what may be seen of them before the tenant is known.

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['user', 'otp_challenge', 'otp_budget', 'user_session', 'refresh_token', 'inspect_file',
    'patient_case', 'patient_file'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
      'CREATE POLICY tenant ON %I USING (organization_id = nullif(current_setting(''app.organization_id'', true), '''')::uuid)',
      tenant_table);
    EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO scandock_app', tenant_table);
  END LOOP;
END $$;

-- Ways to sign in, in the one form they are compared in: an address in lower case, a number by E.164.
ALTER TABLE "user" ADD CONSTRAINT user_contact CHECK (
  num_nonnulls(email, phone_number) > 0 AND email = lower(email) AND phone_number ~ '^\+[1-9][0-9]{6,14}$');
ALTER TABLE otp_challenge ADD CONSTRAINT otp_challenge_channel CHECK (channel IN ('email', 'sms'));
ALTER TABLE inspect_file ADD CONSTRAINT inspect_file_completed_by CHECK ((completed_at IS NULL) = (upload_id IS NULL));

-- A portal's key is public: it resolves an organization, and is no bearer credential.
CREATE OR REPLACE FUNCTION resolve_api_key(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, k.id
  FROM api_key k
  JOIN organization o ON o.id = k.organization_id AND o.disabled_at IS NULL
  WHERE k.key_hash = wanted AND k.revoked_at IS NULL AND k.purpose = 'secret'::api_key_purpose
$$;

CREATE FUNCTION resolve_portal_key(wanted bytea) RETURNS TABLE (organization_id uuid, id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT k.organization_id, k.id
  FROM api_key k
  JOIN organization o ON o.id = k.organization_id AND o.disabled_at IS NULL
  WHERE k.key_hash = wanted AND k.revoked_at IS NULL AND k.purpose = 'portal'::api_key_purpose
$$;

-- Codes whose job was lost: asked for by a user, not sent, not over.
CREATE INDEX otp_challenge_unsent ON otp_challenge (created_at) WHERE (sent_at IS NULL AND used_at IS NULL AND user_id IS NOT NULL);
CREATE FUNCTION reconcile_unsent_codes(created_before timestamptz, expires_after timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.id, c.organization_id FROM otp_challenge c
  WHERE c.sent_at IS NULL AND c.used_at IS NULL AND c.user_id IS NOT NULL
    AND c.created_at < created_before AND c.expires_at > expires_after
  ORDER BY c.created_at LIMIT at_most
$$;

-- Files whose upload was broken off: whoever took them answers no more.
CREATE FUNCTION reconcile_unfinished_files(created_before timestamptz, at_most integer)
RETURNS TABLE (id uuid, organization_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT f.id, f.organization_id FROM patient_file f
  WHERE f.visible_at IS NULL AND f.deleted_at IS NULL AND f.created_at < created_before
  ORDER BY f.created_at LIMIT at_most
$$;

-- Codes, counts and sessions whose time is long over, of every tenant: nothing of them is read, so the function deletes
-- by itself.
CREATE FUNCTION sweep_sign_ins(ended_before timestamptz, at_most integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  swept bigint;
  total bigint;
BEGIN
  -- A session refreshed for ninety days has thousands of tokens: they are counted, not their sessions.
  DELETE FROM refresh_token WHERE id IN (
    SELECT r.id FROM user_session s
    JOIN refresh_token r ON r.organization_id = s.organization_id AND r.session_id = s.id
    WHERE s.expires_at < ended_before LIMIT at_most);
  GET DIAGNOSTICS total = ROW_COUNT;
  DELETE FROM user_session WHERE id IN (
    SELECT s.id FROM user_session s
    WHERE s.expires_at < ended_before AND NOT EXISTS (
      SELECT 1 FROM refresh_token r WHERE r.organization_id = s.organization_id AND r.session_id = s.id)
    ORDER BY s.expires_at LIMIT at_most);
  GET DIAGNOSTICS swept = ROW_COUNT;
  total := total + swept;
  DELETE FROM otp_budget WHERE day < ended_before::date;
  DELETE FROM otp_challenge WHERE id IN (
    SELECT c.id FROM otp_challenge c WHERE c.created_at < ended_before ORDER BY c.created_at LIMIT at_most);
  GET DIAGNOSTICS swept = ROW_COUNT;
  RETURN total + swept;
END $$;

DO $$
DECLARE
  swept_table text;
  reconciler_function text;
BEGIN
  FOREACH swept_table IN ARRAY ARRAY['otp_challenge', 'otp_budget', 'user_session', 'refresh_token'] LOOP
    EXECUTE format('CREATE POLICY sweeper ON %I FOR DELETE TO scandock_definer USING (true)', swept_table);
    EXECUTE format('GRANT DELETE ON %I TO scandock_definer', swept_table);
  END LOOP;
  FOREACH swept_table IN ARRAY ARRAY['otp_challenge', 'otp_budget', 'user_session', 'refresh_token', 'patient_file'] LOOP
    EXECUTE format('CREATE POLICY resolver ON %I FOR SELECT TO scandock_definer USING (true)', swept_table);
    EXECUTE format('GRANT SELECT ON %I TO scandock_definer', swept_table);
  END LOOP;
  FOREACH reconciler_function IN ARRAY ARRAY['reconcile_unsent_codes(timestamptz, timestamptz, integer)',
    'reconcile_unfinished_files(timestamptz, integer)', 'sweep_sign_ins(timestamptz, integer)'] LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO scandock_definer', reconciler_function);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', reconciler_function);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO scandock_worker', reconciler_function);
  END LOOP;
END $$;
ALTER FUNCTION resolve_portal_key(bytea) OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION resolve_portal_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION resolve_portal_key(bytea) TO scandock_app;
