import { ApplicationError } from '../../platform/errors/application-error.js';
import type { Declaration } from '../uploads/single-uploads.service.js';
import type { DeclarationInput } from './ingestion.schemas.js';

/** Largest object one PUT can carry (S3), in bytes. */
const MAX_OBJECT_BYTES = 5 * 1024 ** 3;

/** What a caller says of an object, in the core's terms. @throws file_too_large */
export function toDeclaration({ order_id, filename, size, sha256 }: DeclarationInput): Declaration {
  if (size !== undefined && size > MAX_OBJECT_BYTES)
    throw new ApplicationError(
      'file_too_large',
      413,
      'An object can have at most 5 GiB: one PUT carries no more.',
    );
  return {
    ...(order_id !== undefined && { orderId: order_id }),
    ...(filename !== undefined && { name: filename }),
    ...(size !== undefined && { size }),
    ...(sha256 !== undefined && { sha256 }),
  };
}
