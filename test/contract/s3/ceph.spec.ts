import { afterAll, it } from '@jest/globals';
import { type CephGateway, cephInstalled, startCeph } from '../../support/ceph.js';
import { describeLeastRights } from './least-rights.js';
import { describeNotifications } from './notifications.js';
import { describeObjectLock } from './object-lock.js';
import { describeS3Contract } from './s3-contract.js';

let gateway: Promise<CephGateway> | undefined;
const shared = (): Promise<CephGateway> => (gateway ??= startCeph());

if (cephInstalled()) {
  afterAll(async () => (await gateway)?.stop(), 60_000);

  describeS3Contract({
    name: 'Ceph RGW',
    // Of Ceph 16.2 as Debian 12 ships it.
    capabilities: {
      checksums: false,
      chunkedTrailer: false,
      encryptionHeader: false,
      conditionalCopy: false,
      conditionalComplete: false,
      bucketEncryption: false,
      refusesUnsignedHeaders: false,
      refusesFuture: false,
      missingLength: false,
      noSuchUpload: false,
      partOrder: false,
    },
    async start() {
      const { endpoint, credentials } = await shared();
      return { endpoint, region: 'us-east-1', credentials };
    },
    stop: () => Promise.resolve(),
  });
  describeLeastRights(shared);
  describeNotifications(shared);
  describeObjectLock(shared);
} else {
  process.stdout.write('S3 contract: skipped against Ceph RGW, its binaries are not installed\n');
  it.skip('Ceph RGW is not installed', () => undefined);
}
