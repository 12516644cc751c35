import { createHash } from 'node:crypto';
import type { Answer } from './client.js';
import { Client, eventually, put } from './client.js';

const SETTLED = ['registered', 'rejected'];

/** The ingestion surface as a hospital uses it: URLs, PUTs, and what became of them. */
export class Hospital extends Client {
  /** GET /upload. @param query with its question mark */
  async issue(query = ''): Promise<{ url: string; key: string; uploadId: string }> {
    const { status, body, headers, text } = await this.get(`/upload${query}`);
    if (status !== 200) throw new Error(`GET /upload: ${status} ${text}`);
    return { ...body, uploadId: headers.get('x-upload-id')! };
  }

  /** GET /upload, PUT; returns the upload's id. */
  async send(bytes: Uint8Array, query = ''): Promise<string> {
    const { url, uploadId } = await this.issue(query);
    const status = await put(url, bytes, { 'content-type': 'application/dicom' });
    if (status !== 200) throw new Error(`PUT: ${status}`);
    return uploadId;
  }

  /** The ledger record, once it has come to an end. */
  async settled(uploadId: string, limitMs?: number): Promise<any> {
    return eventually(
      async () => (await this.get(`/uploads/${uploadId}`)).body,
      ({ state }) => SETTLED.includes(state as string),
      limitMs,
    );
  }

  /** Sends an object and waits for what becomes of it. */
  async deliver(bytes: Uint8Array, query = ''): Promise<any> {
    const uploadId = await this.send(bytes, query);
    await this.post(`/uploads/${uploadId}/complete`); // not needed, but it saves the wait for the reconciler
    return this.settled(uploadId);
  }

  async newOrder(body: object = {}): Promise<string> {
    const { status, body: created, text } = await this.post('/new-order', body);
    if (status !== 201) throw new Error(`POST /new-order: ${status} ${text}`);
    return created.order_id;
  }

  status = async (orderId: string): Promise<any> => (await this.get(`/status?order_id=${orderId}`)).body;

  failureReport = async (orderId: string): Promise<any> =>
    (await this.get(`/failure-report?order_id=${orderId}`)).body;

  patch = (query: string, body: unknown): Promise<Answer> =>
    this.call('PATCH', `/add-metadata?${query}`, body);

  /** The verified bytes of an upload, by its presigned URL. */
  async download(uploadId: string): Promise<Buffer> {
    const { status, body, text } = await this.get(`/uploads/${uploadId}/download`);
    if (status !== 200) throw new Error(`GET /uploads/:id/download: ${status} ${text}`);
    const response = await fetch(body.download_url);
    if (response.status !== 200) throw new Error(`GET the object: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  /** All events so far, oldest first. */
  async events(): Promise<{ type: string; data: any }[]> {
    const items = [];
    for (let after: string | undefined; ;) {
      const { body } = await this.get(`/api/v1/events?limit=100${after ? `&after=${after}` : ''}`);
      items.push(...body.items);
      if (body.items.length < 100) return items;
      after = body.next_cursor;
    }
  }
}

/** SHA-256, hexadecimal. */
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
