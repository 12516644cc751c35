import { authenticate } from '../../platform/crypto/master-key.js';
import type { Door } from './door.js';

export type Channel = 'email' | 'sms';

/** Where a code is sent to: an e-mail address in lower case, or a telephone number by E.164. */
export interface Contact {
  channel: Channel;
  address: string;
}

/**
 * The id by which codes, guesses and limits of an address are counted, whether it is a user's or nobody's. It is made of
 * the address and not of the user, or two addresses that share their limits would be known to be one user's; and for each
 * door, since who works there and is treated there is two users. A UUIDv8 (RFC 9562, section 5.8); nobody without the
 * master key can make it.
 */
export function subjectOf(
  masterKey: Uint8Array,
  { kind, named }: Pick<Door, 'kind' | 'named'>,
  { channel, address }: Contact,
): string {
  const message = JSON.stringify([named, channel, address, ...(kind === 'patient' ? [] : [kind])]);
  const bytes = authenticate(masterKey, 'sign-in-subject', message).subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
