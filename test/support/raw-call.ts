import { request } from 'node:http';
import type { Answer } from './client.js';

/** Sends a JSON body by whatever method: fetch gives none to a GET. @param authorization the header's value */
export function rawCall(
  url: URL,
  { method, authorization, body }: { method: string; authorization: string; body: unknown },
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = {
    authorization,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent: false, headers }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const answer = Buffer.concat(parts).toString();
        resolve({
          status: response.statusCode!,
          headers: new Headers(response.headers as Record<string, string>),
          text: answer,
          body: answer === '' ? undefined : JSON.parse(answer),
        });
      });
    });
    sent.on('error', reject);
    sent.end(text);
  });
}
