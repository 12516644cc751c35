import { LOOPBACK } from '../../platform/config/config.schema.js';

/** Where an identity provider may be: behind TLS, or, but not in production, on this machine. */
export function isProviderUrl(url: URL, environment: string | undefined): boolean {
  if (url.username || url.password) return false;
  return url.protocol === 'https:' || (environment !== 'production' && isLoopback(url));
}

/** Plain HTTP that does not leave the machine. */
export const isLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && LOOPBACK.test(hostname);
