-- Positions of a part's events by the month they happened in: an export's statement is over them, and a retired month is proven by it.
ALTER TABLE "audit_export_part" ADD COLUMN     "months" JSONB NOT NULL DEFAULT '[]';
