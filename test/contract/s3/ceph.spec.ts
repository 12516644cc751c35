import { it } from '@jest/globals';
import { type CephGateway, cephInstalled, startCeph } from '../../support/ceph.js';
import { describeS3Contract } from './s3-contract.js';

let gateway: CephGateway | undefined;

if (cephInstalled()) {
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
      gateway = await startCeph();
      return { endpoint: gateway.endpoint, region: 'us-east-1', credentials: gateway.credentials };
    },
    async stop() {
      await gateway?.stop();
    },
  });
} else {
  process.stdout.write('S3 contract: skipped against Ceph RGW, its binaries are not installed\n');
  it.skip('Ceph RGW is not installed', () => undefined);
}
