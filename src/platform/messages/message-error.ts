type Channel = 'mail' | 'sms';

/** What the other side said, as a code: `SMTP 550`, `HTTP 422`, `ETIMEDOUT`. Its words may quote the recipient. */
type Code = string;

/** A message that will not be taken however often it is sent. Says nothing of whom it was for or what was in it. */
export class MessageRefusedError extends Error {
  constructor(
    readonly channel: Channel,
    readonly code: Code,
  ) {
    super(`A message was refused (${channel}, ${code}).`);
    this.name = 'MessageRefusedError';
  }
}

/** A message that could not be sent now; sent again it may be. Says as little. */
export class MessageFailedError extends Error {
  constructor(
    readonly channel: Channel,
    readonly code: Code,
  ) {
    super(`A message could not be sent (${channel}, ${code}).`);
    this.name = 'MessageFailedError';
  }
}
