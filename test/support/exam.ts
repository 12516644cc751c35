import type { Client } from './client.js';
import { put } from './client.js';

export interface CreatedExam {
  exam_id: string;
  upload_urls: { name: string; url: string; headers: Record<string, string> }[];
}

/** The body of a valid `POST /api/v1/exams` for these files. */
export const examBody = (files: Record<string, Uint8Array | number>): object => ({
  name: 'CBCT',
  patient_name: 'Juan Pérez',
  files: Object.entries(files).map(([name, file]) => ({
    name,
    size: typeof file === 'number' ? file : file.length,
  })),
});

export async function createExam(
  client: Client,
  files: Record<string, Uint8Array | number>,
): Promise<CreatedExam> {
  const { status, body, text } = await client.post<CreatedExam>('/api/v1/exams', examBody(files));
  if (status !== 201) throw new Error(`POST /api/v1/exams: ${status} ${text}`);
  return body;
}

/** Creates an exam and PUTs every file, `parallel` at a time. */
export async function uploadExam(
  client: Client,
  files: Record<string, Uint8Array>,
  parallel = 4,
): Promise<CreatedExam> {
  const exam = await createExam(client, files);
  const waiting = exam.upload_urls.map(({ name, url }) => ({ url, bytes: files[name]! }));
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const status = await put(next.url, next.bytes);
      if (status !== 200) throw new Error(`PUT: ${status}`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return exam;
}
