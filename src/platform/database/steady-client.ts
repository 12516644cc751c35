import { Client } from 'pg';

/**
 * A connection whose loss never ends the process. `pg` reports a lost connection to the query under way and as an
 * `error` event, which is fatal when nobody listens; pools listen only while a connection is idle. Whoever holds it
 * learns of the loss from the next query.
 */
export class SteadyClient extends Client {
  constructor(...options: ConstructorParameters<typeof Client>) {
    super(...options);
    this.on('error', () => undefined);
  }
}
