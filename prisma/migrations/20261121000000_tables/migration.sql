-- CreateEnum
CREATE TYPE "exam_status" AS ENUM ('uploading', 'ready');

-- CreateEnum
CREATE TYPE "surface" AS ENUM ('exams');

-- CreateEnum
CREATE TYPE "upload_state" AS ENUM ('issued', 'landed', 'verified', 'registered', 'rejected', 'expired', 'deleted', 'purged');

-- CreateTable
CREATE TABLE "role" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "built_in" BOOLEAN NOT NULL,
    "rules" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "role_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "role_binding" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "role_id" UUID NOT NULL,
    "oauth_client_id" UUID,
    "api_key_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "role_binding_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "audit_event" (
    "id" UUID NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "organization_id" UUID NOT NULL,
    "actor_kind" TEXT NOT NULL,
    "actor_id" TEXT,
    "actor_label" TEXT,
    "action" TEXT NOT NULL,
    "outcome" TEXT NOT NULL,
    "resource_type" TEXT,
    "resource_id" TEXT,
    "patient_ref" TEXT,
    "study_ref" TEXT,
    "request_id" TEXT,
    "trace_id" TEXT,
    "ip" TEXT,
    "user_agent" TEXT,
    "scopes" TEXT[],
    "detail" JSONB NOT NULL,

    CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id","occurred_at")
) PARTITION BY RANGE ("occurred_at");

-- CreateTable
CREATE TABLE "oauth_client" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "client_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "oauth_client_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "client_key" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "oauth_client_id" UUID NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "client_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_key" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "key_hash" BYTEA NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_key_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_private" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "exam" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "patient_name" TEXT NOT NULL,
    "patient_id" TEXT,
    "birth_date" TEXT,
    "exam_type" TEXT,
    "reason" TEXT,
    "status" "exam_status" NOT NULL,
    "created_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "confirmed_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "exam_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "organization" (
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "disabled_at" TIMESTAMPTZ(3),

    CONSTRAINT "organization_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "organization_id" UUID NOT NULL,
    "principal_id" UUID NOT NULL,
    "operation" TEXT NOT NULL,
    "key_hash" BYTEA NOT NULL,
    "request_hash" BYTEA NOT NULL,
    "resource_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("organization_id","principal_id","operation","key_hash")
);

-- CreateTable
CREATE TABLE "share_link" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "exam_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "password_hash" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "open_count" INTEGER NOT NULL DEFAULT 0,
    "last_opened_at" TIMESTAMPTZ(3),

    CONSTRAINT "share_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "study" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "study_instance_uid" TEXT NOT NULL,
    "patient_id" TEXT,
    "issuer_of_patient_id" TEXT,
    "patient_name" TEXT,
    "patient_birth_date" TEXT,
    "patient_sex" TEXT,
    "accession_number" TEXT,
    "study_date" TEXT,
    "study_time" TEXT,
    "study_description" TEXT,
    "referring_physician_name" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "study_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "series" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "study_id" UUID NOT NULL,
    "series_instance_uid" TEXT NOT NULL,
    "modality" TEXT,
    "series_number" INTEGER,
    "series_description" TEXT,
    "body_part_examined" TEXT,

    CONSTRAINT "series_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "instance" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "series_id" UUID NOT NULL,
    "sop_instance_uid" TEXT NOT NULL,
    "sop_class_uid" TEXT NOT NULL,
    "transfer_syntax_uid" TEXT NOT NULL,
    "stored_object_id" UUID NOT NULL,
    "patient_id" TEXT,
    "issuer_of_patient_id" TEXT,
    "instance_number" INTEGER,
    "number_of_frames" INTEGER,
    "rows" INTEGER,
    "columns" INTEGER,
    "inconsistent" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "instance_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "slot" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "exam_id" UUID,
    "position" INTEGER NOT NULL,
    "name" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "filled_by_id" UUID,

    CONSTRAINT "slot_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "upload" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "slot_id" UUID NOT NULL,
    "surface" "surface" NOT NULL,
    "state" "upload_state" NOT NULL,
    "state_changed_at" TIMESTAMPTZ(3) NOT NULL,
    "principal_kind" TEXT NOT NULL,
    "principal_id" UUID NOT NULL,
    "declared_size" BIGINT NOT NULL,
    "url_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "issued_at" TIMESTAMPTZ(3) NOT NULL,
    "landed_at" TIMESTAMPTZ(3),
    "landed_size" BIGINT,
    "etag" TEXT,
    "bucket_modified_at" TIMESTAMPTZ(3),
    "copy_attempts" INTEGER NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "parked_at" TIMESTAMPTZ(3),
    "parked_reason" TEXT,
    "verified_at" TIMESTAMPTZ(3),
    "stored_object_id" UUID,
    "duplicate" BOOLEAN NOT NULL DEFAULT false,
    "registered_at" TIMESTAMPTZ(3),
    "study_id" UUID,
    "rejected_at" TIMESTAMPTZ(3),
    "rejection_rule" TEXT,
    "rejection_message" TEXT,
    "rejection_where" TEXT,
    "deleted_at" TIMESTAMPTZ(3),
    "deleted_reason" TEXT,

    CONSTRAINT "upload_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "object_copy" (
    "organization_id" UUID NOT NULL,
    "upload_id" UUID NOT NULL,
    "attempt" INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "abandoned_at" TIMESTAMPTZ(3),

    CONSTRAINT "object_copy_pkey" PRIMARY KEY ("organization_id","upload_id","attempt")
);

-- CreateTable
CREATE TABLE "stored_object" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "sha256" BYTEA NOT NULL,
    "size" BIGINT NOT NULL,
    "key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "purging_at" TIMESTAMPTZ(3),

    CONSTRAINT "stored_object_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "role_organization_id_id_key" ON "role"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "role_organization_id_name_key" ON "role"("organization_id", "name");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_oauth_client_id_idx" ON "role_binding"("organization_id", "oauth_client_id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_api_key_id_idx" ON "role_binding"("organization_id", "api_key_id");

-- CreateIndex
CREATE INDEX "role_binding_organization_id_role_id_idx" ON "role_binding"("organization_id", "role_id");

-- CreateIndex
CREATE INDEX "audit_event_organization_id_occurred_at_id_idx" ON "audit_event"("organization_id", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "audit_event_organization_id_resource_type_resource_id_occur_idx" ON "audit_event"("organization_id", "resource_type", "resource_id", "occurred_at");

-- CreateIndex
CREATE UNIQUE INDEX "oauth_client_client_id_key" ON "oauth_client"("client_id");

-- CreateIndex
CREATE UNIQUE INDEX "oauth_client_organization_id_id_key" ON "oauth_client"("organization_id", "id");

-- CreateIndex
CREATE INDEX "client_key_organization_id_oauth_client_id_idx" ON "client_key"("organization_id", "oauth_client_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_key_hash_key" ON "api_key"("key_hash");

-- CreateIndex
CREATE UNIQUE INDEX "api_key_organization_id_id_key" ON "api_key"("organization_id", "id");

-- CreateIndex
CREATE INDEX "exam_listing" ON "exam"("organization_id", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "exam_listing_by_creator" ON "exam"("organization_id", "created_by_id", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "exam_listing_by_status" ON "exam"("organization_id", "status", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE UNIQUE INDEX "exam_organization_id_id_key" ON "exam"("organization_id", "id");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- CreateIndex
CREATE UNIQUE INDEX "share_link_token_hash_key" ON "share_link"("token_hash");

-- CreateIndex
CREATE UNIQUE INDEX "share_link_organization_id_exam_id_key" ON "share_link"("organization_id", "exam_id");

-- CreateIndex
CREATE UNIQUE INDEX "study_organization_id_id_key" ON "study"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "study_organization_id_study_instance_uid_key" ON "study"("organization_id", "study_instance_uid");

-- CreateIndex
CREATE UNIQUE INDEX "series_organization_id_id_key" ON "series"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "series_organization_id_study_id_series_instance_uid_key" ON "series"("organization_id", "study_id", "series_instance_uid");

-- CreateIndex
CREATE INDEX "instance_organization_id_series_id_idx" ON "instance"("organization_id", "series_id");

-- CreateIndex
CREATE INDEX "instance_organization_id_stored_object_id_idx" ON "instance"("organization_id", "stored_object_id");

-- CreateIndex
CREATE UNIQUE INDEX "instance_organization_id_sop_instance_uid_key" ON "instance"("organization_id", "sop_instance_uid");

-- CreateIndex
CREATE INDEX "slot_organization_id_filled_by_id_idx" ON "slot"("organization_id", "filled_by_id");

-- CreateIndex
CREATE UNIQUE INDEX "slot_organization_id_id_key" ON "slot"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "slot_organization_id_exam_id_position_key" ON "slot"("organization_id", "exam_id", "position");

-- CreateIndex
CREATE INDEX "upload_organization_id_slot_id_idx" ON "upload"("organization_id", "slot_id");

-- CreateIndex
CREATE INDEX "upload_organization_id_stored_object_id_idx" ON "upload"("organization_id", "stored_object_id");

-- CreateIndex
CREATE INDEX "upload_organization_id_study_id_idx" ON "upload"("organization_id", "study_id");

-- CreateIndex
CREATE INDEX "upload_unsettled" ON "upload"("state", "state_changed_at") WHERE (state = ANY (ARRAY['issued'::upload_state, 'landed'::upload_state, 'verified'::upload_state]));

-- CreateIndex
CREATE INDEX "upload_overdue" ON "upload"("url_expires_at") WHERE (state = 'issued'::upload_state);

-- CreateIndex
CREATE INDEX "upload_deleted" ON "upload"("state_changed_at") WHERE (state = 'deleted'::upload_state);

-- CreateIndex
CREATE UNIQUE INDEX "upload_organization_id_id_key" ON "upload"("organization_id", "id");

-- CreateIndex
CREATE INDEX "object_copy_created_at_idx" ON "object_copy"("created_at");

-- CreateIndex
CREATE INDEX "stored_object_purging" ON "stored_object"("purging_at") WHERE (purging_at IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "stored_object_organization_id_id_key" ON "stored_object"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "stored_object_living" ON "stored_object"("organization_id", "sha256") WHERE (purging_at IS NULL);

-- AddForeignKey
ALTER TABLE "role" ADD CONSTRAINT "role_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_role_id_fkey" FOREIGN KEY ("organization_id", "role_id") REFERENCES "role"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_oauth_client_id_fkey" FOREIGN KEY ("organization_id", "oauth_client_id") REFERENCES "oauth_client"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "role_binding" ADD CONSTRAINT "role_binding_organization_id_api_key_id_fkey" FOREIGN KEY ("organization_id", "api_key_id") REFERENCES "api_key"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "oauth_client" ADD CONSTRAINT "oauth_client_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "client_key" ADD CONSTRAINT "client_key_organization_id_oauth_client_id_fkey" FOREIGN KEY ("organization_id", "oauth_client_id") REFERENCES "oauth_client"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "api_key" ADD CONSTRAINT "api_key_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "exam" ADD CONSTRAINT "exam_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "share_link" ADD CONSTRAINT "share_link_organization_id_exam_id_fkey" FOREIGN KEY ("organization_id", "exam_id") REFERENCES "exam"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "study" ADD CONSTRAINT "study_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "series" ADD CONSTRAINT "series_organization_id_study_id_fkey" FOREIGN KEY ("organization_id", "study_id") REFERENCES "study"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "instance" ADD CONSTRAINT "instance_organization_id_series_id_fkey" FOREIGN KEY ("organization_id", "series_id") REFERENCES "series"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "instance" ADD CONSTRAINT "instance_organization_id_stored_object_id_fkey" FOREIGN KEY ("organization_id", "stored_object_id") REFERENCES "stored_object"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "slot" ADD CONSTRAINT "slot_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "slot" ADD CONSTRAINT "slot_organization_id_exam_id_fkey" FOREIGN KEY ("organization_id", "exam_id") REFERENCES "exam"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "slot" ADD CONSTRAINT "slot_organization_id_filled_by_id_fkey" FOREIGN KEY ("organization_id", "filled_by_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_slot_id_fkey" FOREIGN KEY ("organization_id", "slot_id") REFERENCES "slot"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_stored_object_id_fkey" FOREIGN KEY ("organization_id", "stored_object_id") REFERENCES "stored_object"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_study_id_fkey" FOREIGN KEY ("organization_id", "study_id") REFERENCES "study"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "object_copy" ADD CONSTRAINT "object_copy_organization_id_upload_id_fkey" FOREIGN KEY ("organization_id", "upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "stored_object" ADD CONSTRAINT "stored_object_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;


