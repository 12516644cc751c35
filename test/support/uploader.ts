import { type Answer, Client, put } from './client.js';
import { type CreatedExam, examBody } from './exam.js';

const PAUSE_MS = 100;

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a reply of the API was, for the checks of a whole run. */
export interface Reply {
  path: string;
  status: number;
  type: string | null;
  retryAfter: string | null;
  body: any;
}

/** A caller that does what the documentation asks of it: on 503 or a broken connection it waits and tries again. */
export class PatientUploader {
  readonly replies: Reply[] = [];
  private readonly client: Client;

  constructor(
    baseUrl: string,
    token: string,
    private readonly limitMs = 60_000,
  ) {
    this.client = new Client(baseUrl, token);
  }

  /** Calls until the answer is no failure of the server's. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    for (const begun = Date.now(); ; await pause(PAUSE_MS)) {
      const answer = await this.client.call(method, path, body, headers);
      this.replies.push({
        path: `${method} ${path.replace(/[0-9a-f-]{36}/, ':id')}`,
        status: answer.status,
        type: answer.headers.get('content-type'),
        retryAfter: answer.headers.get('retry-after'),
        body: answer.body,
      });
      if (answer.status < 500) return answer; // a 500 is tried again too: the checks of the run find it
      if (Date.now() - begun > this.limitMs) throw new Error(`${method} ${path} never came back`);
    }
  }

  /** Creates an exam, PUTs its files and confirms it. Returns its id. */
  async upload(files: Record<string, Uint8Array>, key: string): Promise<string> {
    const created = await this.call('POST', '/api/v1/exams', examBody(files), { 'idempotency-key': key });
    const exam = created.body as CreatedExam;
    for (const { name, url } of exam.upload_urls) await this.put(url, files[name]!);
    await this.call('POST', `/api/v1/exams/${exam.exam_id}/confirm`);
    return exam.exam_id;
  }

  private async put(url: string, bytes: Uint8Array): Promise<void> {
    for (const begun = Date.now(); ; await pause(PAUSE_MS)) {
      if ((await put(url, bytes).catch(() => 0)) === 200) return;
      if (Date.now() - begun > this.limitMs) throw new Error('the PUT never succeeded');
    }
  }
}
