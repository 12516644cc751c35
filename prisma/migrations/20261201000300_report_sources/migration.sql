-- Who brought something, when, and under which id is written once: reports take from it what to leave out, and the ledger knows
-- a row by its id. No statement of the application changes these columns, so none may, its owner's neither: not by grants of
-- all other columns, which every new column would have to be added to.
CREATE FUNCTION origin_is_kept() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'who made a row of %, and when, is not changed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION origin_is_kept() FROM PUBLIC;

CREATE TRIGGER upload_origin BEFORE UPDATE OF id, principal_kind, principal_id, issued_at ON upload
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER exam_origin BEFORE UPDATE OF id, created_at ON exam
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER share_link_origin BEFORE UPDATE OF id, created_at ON share_link
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER order_origin BEFORE UPDATE OF id, created_at ON "order"
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER result_origin BEFORE UPDATE OF id, delivered_by_id, created_at ON result
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER inspect_file_origin BEFORE UPDATE OF id, created_by_kind, created_by_id, created_at ON inspect_file
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER patient_file_origin BEFORE UPDATE OF id, uploaded_by_kind, uploaded_by_id, created_at ON patient_file
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
CREATE TRIGGER patient_case_origin BEFORE UPDATE OF id, created_at ON patient_case
  FOR EACH STATEMENT EXECUTE FUNCTION origin_is_kept();
