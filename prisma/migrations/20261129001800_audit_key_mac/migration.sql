-- Who can write to this table cannot pass off a key of his own as one of ours: that takes the master key.
ALTER TABLE "audit_key" ADD COLUMN "mac" BYTEA NOT NULL DEFAULT '';
ALTER TABLE "audit_key" ALTER COLUMN "mac" DROP DEFAULT;
GRANT SELECT (mac) ON audit_key TO scandock_app;
