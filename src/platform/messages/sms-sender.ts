export interface Sms {
  /** Names the message, not the attempt: whoever has seen it has seen it. */
  id: string;
  /** E.164. */
  to: string;
  text: string;
}

/** Whatever sends text messages for us. */
export abstract class SmsSender {
  /** Whether there is one; without, nothing can be sent. */
  abstract readonly available: boolean;

  /**
   * Resolves when the other side has taken the message.
   * @throws {MessageRefusedError} for good, {@link MessageFailedError} for now
   */
  abstract send(sms: Sms): Promise<void>;
}
