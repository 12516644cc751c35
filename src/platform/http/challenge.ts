/** What asks for a client's id and secret (RFC 7617, section 2). */
export const BASIC_CHALLENGE = 'Basic realm="scandock", charset="UTF-8"';

/**
 * `WWW-Authenticate` of a 401 on a route that takes bearer tokens and HTTP Basic: both challenges in one list (RFC 9110,
 * section 11.6.1), with what the error had to say of the token.
 */
export function bothChallenges(given: string | undefined): string {
  return `${given?.startsWith('Bearer') ? given : 'Bearer'}, ${BASIC_CHALLENGE}`;
}
