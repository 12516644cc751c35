import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openAsBlob, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, timed } from './stack.mjs';

/** Where the Debian packages `orthanc` and `orthanc-dicomweb` put them. */
const PROGRAM = '/usr/sbin/Orthanc';
const DICOMWEB = '/usr/share/orthanc/plugins/libOrthancDicomWeb.so';
const START_LIMIT_MS = 30_000;

/** An Orthanc of our own on a loopback port, with its defaults; undefined when it is not installed. */
export async function startOrthanc() {
  if (!existsSync(PROGRAM) || !existsSync(DICOMWEB)) return undefined;
  const folder = mkdtempSync(path.join(tmpdir(), 'scandock-bench-orthanc-'));
  const port = await freePort();
  const file = path.join(folder, 'orthanc.json');
  const settings = {
    StorageDirectory: path.join(folder, 'storage'),
    IndexDirectory: path.join(folder, 'storage'),
    HttpPort: port,
    DicomServerEnabled: false,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    Plugins: [DICOMWEB],
  };
  writeFileSync(file, JSON.stringify(settings));
  const child = spawn(PROGRAM, [file], { stdio: 'ignore' });
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const baseUrl = `http://127.0.0.1:${port}`;
  const get = async (route) => (await fetch(`${baseUrl}${route}`)).json();
  for (const begun = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const system = await get('/system').catch(() => undefined);
    if (system) break;
    if (child.exitCode !== null || Date.now() - begun > START_LIMIT_MS)
      throw new Error('Orthanc did not start');
  }
  return {
    pid: child.pid,
    /** A ZIP of instances, as one request. */
    async upload(file) {
      const response = await fetch(`${baseUrl}/instances`, { method: 'POST', body: await openAsBlob(file) });
      if (!response.ok) throw new Error(`POST /instances: ${response.status}`);
      await response.arrayBuffer();
    },
    /** Seconds until each of the files is stored by a STOW-RS request of its own: then it can be found. */
    async ingest(files, parallel) {
      const before = (await get('/statistics')).CountInstances;
      const bodies = files.map(multipart);
      const seconds = await timed(
        bodies.map((body) => () => stow(baseUrl, body)),
        parallel,
      );
      const stored = (await get('/statistics')).CountInstances - before;
      if (stored !== files.length) throw new Error(`Orthanc kept ${stored} of ${files.length}`);
      return seconds;
    },
    async stop() {
      child.kill('SIGTERM');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One part (PS3.18 section 10.5). */
function multipart(bytes) {
  const head = '--bench\r\nContent-Type: application/dicom\r\n\r\n';
  return Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--bench--\r\n')]);
}

async function stow(baseUrl, body) {
  const response = await fetch(`${baseUrl}/dicom-web/studies`, {
    method: 'POST',
    headers: {
      'content-type': 'multipart/related; type="application/dicom"; boundary=bench',
      accept: 'application/dicom+json',
    },
    body,
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`STOW-RS ${response.status}: ${answer}`);
}
