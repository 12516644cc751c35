import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startS3Server } from '../../../src/platform/embedded/s3/s3-server.js';
import { startEmbeddedProcess } from './embedded-process.js';
import { describeS3Contract } from './s3-contract.js';

let dataDir: string;
let server: Awaited<ReturnType<typeof startS3Server>>;

describeS3Contract({
  name: 'embedded server',
  capabilities: {
    checksums: true,
    chunkedTrailer: true,
    encryptionHeader: true,
    conditionalCopy: true,
    conditionalComplete: true,
    bucketEncryption: false,
    refusesUnsignedHeaders: true,
    refusesFuture: true,
    missingLength: true,
    noSuchUpload: true,
    partOrder: true,
  },
  async start() {
    dataDir = await mkdtemp(join(tmpdir(), 's3-contract-'));
    const credentials = { accessKeyId: 'contractkey', secretAccessKey: 'contractsecret' };
    server = await startS3Server({ dataDir, port: 0, credentials: [credentials] });
    return { endpoint: `http://127.0.0.1:${server.port}`, region: 'us-east-1', credentials };
  },
  async stop() {
    await server?.close();
    await rm(dataDir, { recursive: true, force: true });
  },
  // Resident memory is read from /proc.
  ...(process.platform === 'linux' && { startMeasured: startEmbeddedProcess }),
});
