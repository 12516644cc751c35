-- Where a sign-in with an identity provider may come back to: exactly there and nowhere else. None until somebody says so.

-- AlterTable
ALTER TABLE "identity_provider" ADD COLUMN     "redirect_uris" TEXT[] DEFAULT ARRAY[]::TEXT[];
