-- CreateEnum
CREATE TYPE "order_origin" AS ENUM ('created', 'assembled');

-- CreateEnum
CREATE TYPE "overlay_origin" AS ENUM ('api', 'sidecar');

-- CreateEnum
CREATE TYPE "submission_state" AS ENUM ('open', 'closed', 'superseded');

-- AlterEnum
ALTER TYPE "surface" ADD VALUE 'ingestion';
ALTER TYPE "surface" ADD VALUE 'results';

-- DropForeignKey
ALTER TABLE "upload" DROP CONSTRAINT "upload_organization_id_slot_id_fkey";

-- DropIndex
DROP INDEX "instance_organization_id_sop_instance_uid_key";

-- AlterTable
ALTER TABLE "instance" ADD COLUMN     "disagreements" JSONB,
ADD COLUMN     "generation" INTEGER NOT NULL DEFAULT 1,
ADD COLUMN     "landed_at" TIMESTAMPTZ(3),
ADD COLUMN     "superseded_in" INTEGER,
ADD COLUMN     "upload_id" UUID;

-- Instances that were marked keep their mark; what they differ in was not recorded. The owner is bound by the policies
-- too, which show it nothing outside of an organization.
ALTER TABLE "instance" NO FORCE ROW LEVEL SECURITY;
UPDATE "instance" SET "disagreements" = '{}' WHERE "inconsistent";
ALTER TABLE "instance" FORCE ROW LEVEL SECURITY;
ALTER TABLE "instance" DROP COLUMN "inconsistent";

-- AlterTable
ALTER TABLE "object_copy" ADD COLUMN     "prefix" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "organization" ADD COLUMN     "required_metadata" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "study" ADD COLUMN     "attributes" JSONB NOT NULL DEFAULT '{}',
ADD COLUMN     "created_by_id" UUID;

-- AlterTable
ALTER TABLE "upload" ADD COLUMN     "contents" JSONB,
ADD COLUMN     "declared_name" TEXT,
ADD COLUMN     "declared_sha256" BYTEA,
ADD COLUMN     "declared_type" TEXT,
ADD COLUMN     "may_replace" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "order_id" UUID,
ADD COLUMN     "parent_id" UUID,
ALTER COLUMN "slot_id" DROP NOT NULL,
ALTER COLUMN "declared_size" DROP NOT NULL;

-- CreateTable
CREATE TABLE "outbox_event" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "transaction_id" BIGINT NOT NULL DEFAULT ((pg_current_xact_id())::text)::bigint,
    "type" TEXT NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "data" JSONB NOT NULL,

    CONSTRAINT "outbox_event_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "order" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "origin" "order_origin" NOT NULL,
    "created_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),
    "failed_at" TIMESTAMPTZ(3),

    CONSTRAINT "order_pkey" PRIMARY KEY ("organization_id","id")
);

-- CreateTable
CREATE TABLE "order_overlay" (
    "organization_id" UUID NOT NULL,
    "order_id" UUID NOT NULL,
    "origin" "overlay_origin" NOT NULL,
    "attributes" JSONB NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "order_overlay_pkey" PRIMARY KEY ("organization_id","order_id","origin")
);

-- CreateTable
CREATE TABLE "order_study" (
    "organization_id" UUID NOT NULL,
    "order_id" UUID NOT NULL,
    "study_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "order_study_pkey" PRIMARY KEY ("organization_id","order_id","study_id")
);

-- CreateTable
CREATE TABLE "result" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "order_id" UUID NOT NULL,
    "upload_id" UUID NOT NULL,
    "report_type" TEXT NOT NULL,
    "content_type" TEXT NOT NULL,
    "delivered_by_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),
    "acknowledged_at" TIMESTAMPTZ(3),

    CONSTRAINT "result_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "submission" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "study_id" UUID NOT NULL,
    "generation" INTEGER NOT NULL,
    "state" "submission_state" NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "last_landed_at" TIMESTAMPTZ(3) NOT NULL,
    "closes_at" TIMESTAMPTZ(3) NOT NULL,
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "submission_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "volume" (
    "id" UUID NOT NULL,
    "organization_id" UUID NOT NULL,
    "order_id" UUID NOT NULL,
    "nifti_upload_id" UUID NOT NULL,
    "bval_upload_id" UUID NOT NULL,
    "bvec_upload_id" UUID NOT NULL,
    "dimensions" INTEGER[],
    "volumes" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "volume_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "outbox_event_organization_id_transaction_id_id_idx" ON "outbox_event"("organization_id", "transaction_id", "id");

-- CreateIndex
CREATE INDEX "outbox_event_occurred_at_idx" ON "outbox_event"("occurred_at");

-- CreateIndex
CREATE INDEX "order_organization_id_created_at_id_idx" ON "order"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "order_organization_id_created_by_id_created_at_id_idx" ON "order"("organization_id", "created_by_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "order_study_organization_id_study_id_created_at_idx" ON "order_study"("organization_id", "study_id", "created_at");

-- CreateIndex
CREATE INDEX "result_organization_id_order_id_created_at_idx" ON "result"("organization_id", "order_id", "created_at");

-- CreateIndex
CREATE INDEX "result_unacknowledged" ON "result"("organization_id", "delivered_at", "id") WHERE (acknowledged_at IS NULL AND delivered_at IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "result_organization_id_id_key" ON "result"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "result_organization_id_upload_id_key" ON "result"("organization_id", "upload_id");

-- CreateIndex
CREATE INDEX "submission_open" ON "submission"("closes_at") WHERE (state = 'open'::submission_state);

-- CreateIndex
CREATE UNIQUE INDEX "submission_organization_id_id_key" ON "submission"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "submission_organization_id_study_id_generation_key" ON "submission"("organization_id", "study_id", "generation");

-- CreateIndex
CREATE INDEX "volume_organization_id_order_id_idx" ON "volume"("organization_id", "order_id");

-- CreateIndex
CREATE UNIQUE INDEX "volume_organization_id_id_key" ON "volume"("organization_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "volume_organization_id_nifti_upload_id_key" ON "volume"("organization_id", "nifti_upload_id");

-- CreateIndex
CREATE INDEX "instance_organization_id_sop_instance_uid_idx" ON "instance"("organization_id", "sop_instance_uid");

-- CreateIndex
CREATE INDEX "instance_organization_id_upload_id_idx" ON "instance"("organization_id", "upload_id");

-- CreateIndex
CREATE UNIQUE INDEX "instance_present" ON "instance"("organization_id", "sop_instance_uid") WHERE (superseded_in IS NULL);

-- CreateIndex
CREATE INDEX "study_organization_id_created_at_id_idx" ON "study"("organization_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "study_organization_id_patient_id_idx" ON "study"("organization_id", "patient_id");

-- CreateIndex
CREATE INDEX "study_organization_id_accession_number_idx" ON "study"("organization_id", "accession_number");

-- CreateIndex
CREATE INDEX "upload_organization_id_order_id_idx" ON "upload"("organization_id", "order_id");

-- CreateIndex
CREATE INDEX "upload_organization_id_parent_id_idx" ON "upload"("organization_id", "parent_id");

-- CreateIndex
CREATE INDEX "upload_unverified" ON "upload"("organization_id", "bucket_modified_at") WHERE (state = ANY (ARRAY['landed'::upload_state, 'verified'::upload_state]));

-- AddForeignKey
ALTER TABLE "order" ADD CONSTRAINT "order_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organization"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "order_overlay" ADD CONSTRAINT "order_overlay_organization_id_order_id_fkey" FOREIGN KEY ("organization_id", "order_id") REFERENCES "order"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "order_study" ADD CONSTRAINT "order_study_organization_id_order_id_fkey" FOREIGN KEY ("organization_id", "order_id") REFERENCES "order"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "order_study" ADD CONSTRAINT "order_study_organization_id_study_id_fkey" FOREIGN KEY ("organization_id", "study_id") REFERENCES "study"("organization_id", "id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "result" ADD CONSTRAINT "result_organization_id_order_id_fkey" FOREIGN KEY ("organization_id", "order_id") REFERENCES "order"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "result" ADD CONSTRAINT "result_organization_id_upload_id_fkey" FOREIGN KEY ("organization_id", "upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "submission" ADD CONSTRAINT "submission_organization_id_study_id_fkey" FOREIGN KEY ("organization_id", "study_id") REFERENCES "study"("organization_id", "id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "instance" ADD CONSTRAINT "instance_organization_id_upload_id_fkey" FOREIGN KEY ("organization_id", "upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "volume" ADD CONSTRAINT "volume_organization_id_order_id_fkey" FOREIGN KEY ("organization_id", "order_id") REFERENCES "order"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "volume" ADD CONSTRAINT "volume_organization_id_nifti_upload_id_fkey" FOREIGN KEY ("organization_id", "nifti_upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "volume" ADD CONSTRAINT "volume_organization_id_bval_upload_id_fkey" FOREIGN KEY ("organization_id", "bval_upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "volume" ADD CONSTRAINT "volume_organization_id_bvec_upload_id_fkey" FOREIGN KEY ("organization_id", "bvec_upload_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_slot_id_fkey" FOREIGN KEY ("organization_id", "slot_id") REFERENCES "slot"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_order_id_fkey" FOREIGN KEY ("organization_id", "order_id") REFERENCES "order"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "upload" ADD CONSTRAINT "upload_organization_id_parent_id_fkey" FOREIGN KEY ("organization_id", "parent_id") REFERENCES "upload"("organization_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
