-- AlterEnum
ALTER TYPE "user_kind" ADD VALUE 'staff';

-- DropIndex
DROP INDEX "user_organization_id_email_key";

-- DropIndex
DROP INDEX "user_organization_id_phone_number_key";

-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "previous_key_hash" BYTEA,
ADD COLUMN     "previous_last_used_at" TIMESTAMPTZ(3),
ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "oauth_client" ADD COLUMN     "jwks" JSONB,
ADD COLUMN     "token_lifetime" INTEGER NOT NULL DEFAULT 3600,
ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "organization" ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "role" ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "role_binding" ADD COLUMN     "group_id" UUID,
ADD COLUMN     "resource_id" UUID,
ADD COLUMN     "resource_type" TEXT,
ADD COLUMN     "user_id" UUID;

-- AlterTable
ALTER TABLE "signing_key" ADD COLUMN     "active_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "user" ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- AlterTable
ALTER TABLE "user_session" ADD COLUMN     "provider_id" UUID,
ALTER COLUMN "api_key_id" DROP NOT NULL;

-- CreateTable
CREATE TABLE "group" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    CONSTRAINT "group_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "group_member" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "group_id" UUID NOT NULL,
    "user_id" UUID,
    "member_group_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "group_member_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "identity_provider" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "client_id" TEXT NOT NULL,
    "sealed_secret" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL DEFAULT 1,
    CONSTRAINT "identity_provider_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "user_identity" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "user_identity_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "revoked_token" (
    "organization_id" UUID NOT NULL,
    "jti" UUID NOT NULL,
    "revoked_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "revoked_token_pkey" PRIMARY KEY ("organization_id","jti")
);

-- CreateTable
CREATE TABLE "spent_token" (
    "organization_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    CONSTRAINT "spent_token_pkey" PRIMARY KEY ("organization_id","hash")
);

-- CreateIndex
CREATE INDEX "group_organization_id_created_at_id_idx" ON "group"("organization_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "group_organization_id_id_key" ON "group"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "group_organization_id_name_key" ON "group"("organization_id", "name");

-- CreateIndex
CREATE INDEX "group_member_organization_id_user_id_idx" ON "group_member"("organization_id", "user_id");

-- CreateIndex
CREATE INDEX "group_member_organization_id_member_group_id_idx" ON "group_member"("organization_id", "member_group_id");

-- CreateIndex
CREATE INDEX "group_member_organization_id_group_id_created_at_id_idx" ON "group_member"("organization_id", "group_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "group_member_organization_id_id_key" ON "group_member"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "group_member_organization_id_group_id_user_id_key" ON "group_member"("organization_id", "group_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "group_member_organization_id_group_id_member_group_id_key" ON "group_member"("organization_id", "group_id", "member_group_id");

-- CreateIndex
CREATE INDEX "identity_provider_organization_id_created_at_id_idx" ON "identity_provider"("organization_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "identity_provider_organization_id_id_key" ON "identity_provider"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "identity_provider_organization_id_issuer_key" ON "identity_provider"("organization_id", "issuer");

-- CreateIndex
CREATE INDEX "user_identity_organization_id_user_id_idx" ON "user_identity"("organization_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "user_identity_organization_id_id_key" ON "user_identity"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "user_identity_organization_id_issuer_subject_key" ON "user_identity"("organization_id", "issuer", "subject");

-- CreateIndex
CREATE INDEX "revoked_token_expires_at_idx" ON "revoked_token"("expires_at");

-- CreateIndex
CREATE INDEX "spent_token_expires_at_idx" ON "spent_token"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_previous_key_hash_key" ON "api_key"("previous_key_hash");

-- CreateIndex
CREATE INDEX "api_key_organization_id_created_at_id_idx" ON "api_key"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "oauth_client_organization_id_created_at_id_idx" ON "oauth_client"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "role_organization_id_created_at_id_idx" ON "role"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_user_id_idx" ON "role_binding"("organization_id", "user_id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_group_id_idx" ON "role_binding"("organization_id", "group_id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_resource_id_idx" ON "role_binding"("organization_id", "resource_id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_created_at_id_idx" ON "role_binding"("organization_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "role_binding_organization_id_id_key" ON "role_binding"("organization_id", "id");

-- CreateIndex
CREATE INDEX "user_organization_id_created_at_id_idx" ON "user"("organization_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "user_organization_id_email_kind_key" ON "user"("organization_id", "email", "kind");

-- CreateIndex
CREATE UNIQUE INDEX "user_organization_id_phone_number_kind_key" ON "user"("organization_id", "phone_number", "kind");

-- CreateIndex
CREATE INDEX "user_session_organization_id_provider_id_idx" ON "user_session"("organization_id", "provider_id");

-- CreateIndex
CREATE INDEX "user_session_organization_id_created_at_id_idx" ON "user_session"("organization_id", "created_at", "id");

-- AddForeignKey
ALTER TABLE "group" ADD CONSTRAINT "group_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_organization_id_group_id_fkey" FOREIGN KEY ("organization_id", "group_id") REFERENCES "group"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "group_member" ADD CONSTRAINT "group_member_organization_id_member_group_id_fkey" FOREIGN KEY ("organization_id", "member_group_id") REFERENCES "group"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_group_id_fkey" FOREIGN KEY ("organization_id", "group_id") REFERENCES "group"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "user_session" ADD CONSTRAINT "user_session_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "user_session" ADD CONSTRAINT "user_session_organization_id_provider_id_fkey" FOREIGN KEY ("organization_id", "provider_id") REFERENCES "identity_provider"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "identity_provider" ADD CONSTRAINT "identity_provider_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "user_identity" ADD CONSTRAINT "user_identity_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "user_identity" ADD CONSTRAINT "user_identity_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "revoked_token" ADD CONSTRAINT "revoked_token_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "spent_token" ADD CONSTRAINT "spent_token_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
