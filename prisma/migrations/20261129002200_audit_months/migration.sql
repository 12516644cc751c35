-- How many events of a part happened in which month: an export's statement says so, and a retired month is proven by it.
ALTER TABLE "audit_export_part" ADD COLUMN     "months" JSONB NOT NULL DEFAULT '[]';
