-- Only the trigger queues events for their seal. Whoever could write there by hand could have an event sealed twice, or one that
-- there is not, which nothing takes back.
ALTER FUNCTION audit_event_await_seal() SECURITY DEFINER;
ALTER FUNCTION audit_event_await_seal() OWNER TO scandock_definer;
REVOKE ALL ON FUNCTION audit_event_await_seal() FROM PUBLIC;
CREATE POLICY queue ON audit_unsealed FOR INSERT TO scandock_definer WITH CHECK (true);
GRANT INSERT ON audit_unsealed TO scandock_definer;
REVOKE INSERT ON audit_unsealed FROM scandock_app;

-- A time that no form of an event can have (infinity, the year 10000) would keep all of its organization from being sealed.
ALTER TABLE audit_event ADD CONSTRAINT audit_event_time
  CHECK (occurred_at >= '0001-01-01T00:00:00Z' AND occurred_at < '10000-01-01T00:00:00Z') NOT VALID;
