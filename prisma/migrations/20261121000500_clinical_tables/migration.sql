-- CreateEnum
CREATE TYPE "user_kind" AS ENUM ('patient');

-- CreateEnum
CREATE TYPE "api_key_purpose" AS ENUM ('secret', 'portal');

-- AlterEnum
ALTER TYPE "surface" ADD VALUE 'inspect';
ALTER TYPE "surface" ADD VALUE 'files';

-- AlterTable
ALTER TABLE "api_key" ADD COLUMN     "purpose" "api_key_purpose" NOT NULL DEFAULT 'secret';

-- AlterTable
ALTER TABLE "upload" ADD COLUMN     "inspect_file_id" UUID;

-- CreateTable
CREATE TABLE "user" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "kind" "user_kind" NOT NULL,
    "first_name" TEXT NOT NULL DEFAULT '',
    "last_name" TEXT NOT NULL DEFAULT '',
    "email" TEXT,
    "phone_number" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "user_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "otp_challenge" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "subject_id" UUID NOT NULL,
    "user_id" UUID,
    "channel" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "sent_at" TIMESTAMPTZ(3),
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "otp_challenge_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "otp_budget" (
    "organization_id" UUID NOT NULL,
    "subject_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "failures" INTEGER NOT NULL,

    CONSTRAINT "otp_budget_pkey" PRIMARY KEY ("organization_id","subject_id","day")
);

-- CreateTable
CREATE TABLE "user_session" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "api_key_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_reason" TEXT,

    CONSTRAINT "user_session_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refresh_token" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "session_id" UUID NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "replaced_at" TIMESTAMPTZ(3),

    CONSTRAINT "refresh_token_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "patient_case" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "patient_id" UUID NOT NULL,
    "title" TEXT,
    "created_by_kind" TEXT NOT NULL,
    "created_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "patient_case_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "patient_file" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "patient_id" UUID NOT NULL,
    "case_id" UUID,
    "upload_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "content_type" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "is_phi" BOOLEAN NOT NULL DEFAULT false,
    "is_restricted" BOOLEAN NOT NULL DEFAULT false,
    "uploaded_by_kind" TEXT NOT NULL,
    "uploaded_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "visible_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),
    "deleted_by_id" UUID,
    "deleted_reason" TEXT,

    CONSTRAINT "patient_file_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "inspect_file" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "asset_id" TEXT,
    "name" TEXT NOT NULL,
    "content_type" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" BYTEA NOT NULL,
    "created_by_kind" TEXT NOT NULL,
    "created_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "completed_at" TIMESTAMPTZ(3),
    "upload_id" UUID,

    CONSTRAINT "inspect_file_pkey" PRIMARY KEY ("organization_id","id")
);

-- CreateIndex
CREATE UNIQUE INDEX "user_organization_id_id_key" ON "user"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "user_organization_id_email_key" ON "user"("organization_id", "email");

-- CreateIndex
CREATE UNIQUE INDEX "user_organization_id_phone_number_key" ON "user"("organization_id", "phone_number");

-- CreateIndex
CREATE INDEX "otp_challenge_organization_id_subject_id_created_at_idx" ON "otp_challenge"("organization_id", "subject_id", "created_at");

-- CreateIndex
CREATE INDEX "otp_challenge_organization_id_user_id_idx" ON "otp_challenge"("organization_id", "user_id");

-- CreateIndex
CREATE INDEX "otp_challenge_created_at_idx" ON "otp_challenge"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "otp_challenge_organization_id_id_key" ON "otp_challenge"("organization_id", "id");

-- CreateIndex
CREATE INDEX "otp_budget_day_idx" ON "otp_budget"("day");

-- CreateIndex
CREATE INDEX "user_session_organization_id_user_id_idx" ON "user_session"("organization_id", "user_id");

-- CreateIndex
CREATE INDEX "user_session_organization_id_api_key_id_idx" ON "user_session"("organization_id", "api_key_id");

-- CreateIndex
CREATE INDEX "user_session_expires_at_idx" ON "user_session"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "user_session_organization_id_id_key" ON "user_session"("organization_id", "id");

-- CreateIndex
CREATE INDEX "refresh_token_organization_id_session_id_idx" ON "refresh_token"("organization_id", "session_id");

-- CreateIndex
CREATE UNIQUE INDEX "refresh_token_organization_id_token_hash_key" ON "refresh_token"("organization_id", "token_hash");

-- CreateIndex
CREATE INDEX "patient_case_organization_id_created_at_id_idx" ON "patient_case"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "patient_case_organization_id_patient_id_created_at_idx" ON "patient_case"("organization_id", "patient_id", "created_at");

-- CreateIndex
CREATE INDEX "patient_case_open" ON "patient_case"("organization_id", "created_at", "id") WHERE (closed_at IS NULL);

-- CreateIndex
CREATE INDEX "patient_case_closed" ON "patient_case"("organization_id", "created_at", "id") WHERE (closed_at IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "patient_case_organization_id_id_key" ON "patient_case"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "patient_case_organization_id_id_patient_id_key" ON "patient_case"("organization_id", "id", "patient_id");

-- CreateIndex
CREATE INDEX "patient_file_organization_id_upload_id_idx" ON "patient_file"("organization_id", "upload_id");

-- CreateIndex
CREATE INDEX "patient_file_of_patient" ON "patient_file"("organization_id", "patient_id", "created_at", "id") WHERE (visible_at IS NOT NULL AND deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "patient_file_of_case" ON "patient_file"("organization_id", "case_id", "created_at", "id") WHERE (visible_at IS NOT NULL AND deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "patient_file_documents" ON "patient_file"("organization_id", "created_at", "id") WHERE (case_id IS NULL AND visible_at IS NOT NULL AND deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "patient_file_unfinished" ON "patient_file"("created_at") WHERE (visible_at IS NULL AND deleted_at IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "patient_file_organization_id_id_key" ON "patient_file"("organization_id", "id");

-- CreateIndex
CREATE INDEX "inspect_file_organization_id_upload_id_idx" ON "inspect_file"("organization_id", "upload_id");

-- CreateIndex
CREATE INDEX "inspect_file_completed" ON "inspect_file"("organization_id", "sha256") WHERE (completed_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "upload_organization_id_inspect_file_id_idx" ON "upload"("organization_id", "inspect_file_id");

-- AddForeignKey
ALTER TABLE "user" ADD CONSTRAINT "user_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "otp_challenge" ADD CONSTRAINT "otp_challenge_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "user_session" ADD CONSTRAINT "user_session_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "user_session" ADD CONSTRAINT "user_session_organization_id_api_key_id_fkey" FOREIGN KEY ("organization_id", "api_key_id") REFERENCES "api_key"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "refresh_token" ADD CONSTRAINT "refresh_token_organization_id_session_id_fkey" FOREIGN KEY ("organization_id", "session_id") REFERENCES "user_session"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "patient_case" ADD CONSTRAINT "patient_case_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "patient_case" ADD CONSTRAINT "patient_case_organization_id_patient_id_fkey" FOREIGN KEY ("organization_id", "patient_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "patient_file" ADD CONSTRAINT "patient_file_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "patient_file" ADD CONSTRAINT "patient_file_organization_id_patient_id_fkey" FOREIGN KEY ("organization_id", "patient_id") REFERENCES "user"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "patient_file" ADD CONSTRAINT "patient_file_organization_id_case_id_patient_id_fkey" FOREIGN KEY ("organization_id", "case_id", "patient_id") REFERENCES "patient_case"("organization_id", "id", "patient_id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "patient_file" ADD CONSTRAINT "patient_file_organization_id_upload_id_fkey" FOREIGN KEY ("organization_id", "upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "inspect_file" ADD CONSTRAINT "inspect_file_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "inspect_file" ADD CONSTRAINT "inspect_file_organization_id_upload_id_fkey" FOREIGN KEY ("organization_id", "upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_inspect_file_id_fkey" FOREIGN KEY ("organization_id", "inspect_file_id") REFERENCES "inspect_file"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;


