/** The three steps of seed 000 as any client takes them: create, PUT, confirm. */

const PARALLEL_PUTS = 6;
const REGISTRATION_LIMIT_MS = 60_000;
const POLL_MS = 200;

export interface ExamToUpload {
  name: string;
  patient_name: string;
  exam_type: string;
  files: { name: string; bytes: Uint8Array }[];
}

/** Resolves when the exam is `registered`. Throws with the API's own words when a step is refused. */
export async function uploadExam(
  baseUrl: string,
  token: string,
  exam: ExamToUpload,
): Promise<{ shareUrl: string; viewerUrl: string }> {
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${baseUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };

  const { files, ...facts } = exam;
  const declared = files.map(({ name, bytes }) => ({ name, size: bytes.length }));
  const created = await call<{ exam_id: string; upload_urls: { url: string }[] }>('POST', '/exams', {
    ...facts,
    files: declared,
  });
  const waiting = files.map(({ bytes }, index) => ({ bytes, url: created.upload_urls[index]!.url }));
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const response = await fetch(next.url, { method: 'PUT', body: next.bytes as Uint8Array<ArrayBuffer> });
      if (!response.ok) throw new Error(`PUT: ${response.status} ${await response.text()}`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_PUTS }, worker));
  const confirmed = await call<{ share_url: string; viewer_url: string }>(
    'POST',
    `/exams/${created.exam_id}/confirm`,
  );

  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, POLL_MS))) {
    const { ingestion_status } = await call<{ ingestion_status: string }>('GET', `/exams/${created.exam_id}`);
    if (ingestion_status === 'registered')
      return { shareUrl: confirmed.share_url, viewerUrl: confirmed.viewer_url };
    if (Date.now() - begun > REGISTRATION_LIMIT_MS)
      throw new Error(`The demo study is still ${ingestion_status}.`);
  }
}
