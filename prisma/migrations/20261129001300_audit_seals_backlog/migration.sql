-- Events from before there were seals are sealed as well. Apart from the trigger's migration, so that nobody who writes
-- events waits for this; what the trigger has queued meanwhile is there already.
DO $$
DECLARE
  organization uuid;
BEGIN
  FOR organization IN SELECT * FROM organization_ids() LOOP
    PERFORM set_config('app.organization_id', organization::text, true);
    INSERT INTO audit_unsealed (organization_id, occurred_at, event_id)
    SELECT e.organization_id, e.occurred_at, e.id FROM audit_event e WHERE e.organization_id = organization
    ON CONFLICT DO NOTHING;
  END LOOP;
  PERFORM set_config('app.organization_id', '', true);
END $$;
