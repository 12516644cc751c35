-- What reports read besides the ledger: the files of a case and of a patient, deleted ones too.
CREATE INDEX "patient_file_organization_id_case_id_idx" ON "patient_file"("organization_id", "case_id");
CREATE INDEX "patient_file_organization_id_patient_id_idx" ON "patient_file"("organization_id", "patient_id");
