import { createHash } from 'node:crypto';
import { type Answer, Client, put } from './client.js';

const BASE = '/api/inspect/v1/file';

export interface Declaration {
  id?: string;
  assetID?: string;
  contentType: string;
  hash: string;
  name: string;
  size: number;
}

/** What is said of a file before it is sent. */
export const declarationOf = (
  bytes: Uint8Array,
  contentType = 'image/png',
  others: Partial<Declaration> = {},
): Declaration => ({
  contentType,
  hash: createHash('sha256').update(bytes).digest('base64'),
  name: 'crack.png',
  size: bytes.length,
  ...others,
});

/** The inspect surface as an inspection app uses it. */
export class Inspector extends Client {
  declare = (declaration: object, headers?: Record<string, string>): Promise<Answer> =>
    this.post(`${BASE}/upload/presigned`, declaration, headers);

  complete = (id: string): Promise<Answer> => this.post(`${BASE}/upload/complete`, { id });

  file = (id: string): Promise<Answer> => this.get(`${BASE}/${id}`);

  download = (id: string): Promise<Answer> => this.get(`${BASE}/${id}/download`);

  /** A URL for a file that is not there yet. */
  async presigned(declaration: Declaration): Promise<{ id: string; presignedURL: string }> {
    const { status, body, text } = await this.declare(declaration);
    if (status !== 201) throw new Error(`POST presigned: ${status} ${text}`);
    return body.data;
  }

  /** Declares and PUTs; returns the id. */
  async send(bytes: Uint8Array, contentType?: string, others?: Partial<Declaration>): Promise<string> {
    const declaration = declarationOf(bytes, contentType, others);
    const { id, presignedURL } = await this.presigned(declaration);
    const status = await put(presignedURL, bytes, { 'content-type': declaration.contentType });
    if (status !== 200) throw new Error(`PUT: ${status}`);
    return id;
  }

  /** The same, completed. */
  async deliver(bytes: Uint8Array, contentType?: string, others?: Partial<Declaration>): Promise<string> {
    const id = await this.send(bytes, contentType, others);
    const { status, body, text } = await this.complete(id);
    if (body?.data?.status !== 'completed') throw new Error(`POST complete: ${status} ${text}`);
    return id;
  }

  /** The verified bytes. */
  async bytesOf(id: string): Promise<Buffer> {
    const { body } = await this.download(id);
    return Buffer.from(await (await fetch(body.data.presignedURL as string)).arrayBuffer());
  }
}
