const MAX_ERROR_BYTES = 64 * 1024;

/** A refusal of the bucket, shaped as the official client's: its code is the name. */
export class BucketError extends Error {
  readonly $metadata: { readonly httpStatusCode: number };

  /** @param body XML (S3 API reference, "Error responses"); undefined for an answer to HEAD, which has none */
  constructor(httpStatusCode: number, body: string | undefined) {
    super(`the bucket answered ${httpStatusCode}`);
    const code = /<Code>(\w+)<\/Code>/.exec(body ?? '')?.[1];
    // Without a body a 404 is all that can be known; with one that tells no code, something else has answered.
    this.name = code ?? (body === undefined && httpStatusCode === 404 ? 'NotFound' : 'Refused');
    this.$metadata = { httpStatusCode };
  }
}

/** The text of an answer that ought to be short; what is too long is cut. */
export async function shortText(answer: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of answer) {
    parts.push(part);
    length += part.length;
    if (length > MAX_ERROR_BYTES) break;
  }
  return Buffer.concat(parts).toString();
}
