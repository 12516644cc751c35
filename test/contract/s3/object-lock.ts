import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  PutBucketPolicyCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { anchorKey, anchorText } from '../../../src/modules/audit/anchor.js';
import { headForm, NOTHING_BEFORE, signForm } from '../../../src/modules/audit/seal.js';
import { newKey } from '../../../src/modules/audit/verification/planted-export.fixture.js';
import { BucketAnchors } from '../../../src/modules/audit/worker/anchor-places.js';
import { Clock } from '../../../src/platform/clock/clock.js';
import type { CephGateway } from '../../support/ceph.js';
import { clientOf, refusal, uniqueName } from './s3-target.js';
import { configOf, storageOf } from './storage-contract.js';

const DAY_MS = 24 * 3600_000;
const LOCKED_DAYS = '3';

/** Heads of the audit ledger (`AUDIT_LOCK_DAYS`) in a bucket that keeps them, with the worker's rights of `deploy/iam`. */
export function describeObjectLock(gateway: () => Promise<CephGateway>): void {
  describe('heads under an Object Lock', () => {
    let owner: S3Client;
    let anchorsOf: (bucket: string) => BucketAnchors;

    beforeAll(async () => {
      const { endpoint, credentials, addUser } = await gateway();
      const connectionOf = (one: typeof credentials) => ({ endpoint, region: 'us-east-1', credentials: one });
      owner = clientOf(connectionOf(credentials));
      const worker = connectionOf(await addUser('scandock-locker'));
      anchorsOf = (bucket) => {
        const session = { connection: worker, bucket };
        const changes = { AUDIT_LOCK_DAYS: LOCKED_DAYS };
        return new BucketAnchors(configOf(session, changes), storageOf(session, changes), new Clock());
      };
    }, 120_000);
    afterAll(() => owner?.destroy());

    const newBucket = async (ObjectLockEnabledForBucket: boolean) => {
      const Bucket = uniqueName('lock');
      await owner.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket }));
      const arn = `arn:aws:s3:::${Bucket}`;
      const policy = JSON.parse(
        (await readFile(new URL('../../../deploy/iam/ceph-bucket-policy.json', import.meta.url), 'utf8'))
          .replaceAll('arn:aws:s3:::scandock', arn)
          .replaceAll('user/scandock-worker', 'user/scandock-locker'),
      ) as { Statement: object[] };
      policy.Statement.push({
        Sid: 'Everything',
        Effect: 'Allow',
        Principal: { AWS: ['arn:aws:iam:::user/contract'] },
        Action: 's3:*',
        Resource: [arn, `${arn}/*`],
      });
      await owner.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }));
      return Bucket;
    };
    const newHead = async (seal: number) => {
      const head = { seal, time: new Date(), previous: NOTHING_BEFORE, root: NOTHING_BEFORE };
      return { ...head, ...signForm((await newKey()).key, headForm(head)) };
    };

    it('are kept from who may do everything, until their day', async () => {
      const Bucket = await newBucket(true);
      const head = await newHead(1);
      const before = Date.now();
      await anchorsOf(Bucket).take(head);
      await anchorsOf(Bucket).take(head); // as after a crash: it is there
      const object = { Bucket, Key: anchorKey(1) };
      const { VersionId } = await owner.send(new GetObjectCommand(object));
      expect(VersionId).toBeDefined();
      const version = { ...object, VersionId };

      const { Retention } = await owner.send(new GetObjectRetentionCommand(version));
      expect(Retention?.Mode).toBe('COMPLIANCE');
      const locked = Retention!.RetainUntilDate!.getTime() - before;
      expect(Math.round(locked / 60_000)).toBeCloseTo((Number(LOCKED_DAYS) * DAY_MS) / 60_000, -1);

      const remove = new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true });
      expect(await refusal(owner.send(remove))).toBe('403 AccessDenied');
      const shorten = new PutObjectRetentionCommand({
        ...version,
        BypassGovernanceRetention: true,
        Retention: { Mode: 'COMPLIANCE', RetainUntilDate: new Date(Date.now() + 60_000) },
      });
      expect(await refusal(owner.send(shorten))).toBe('403 AccessDenied');

      await owner.send(new DeleteObjectCommand(object)); // hides it, and removes nothing
      const { Body } = await owner.send(new GetObjectCommand(version));
      expect(await Body?.transformToString()).toBe(anchorText(head));
    });

    it('are not written to a bucket that cannot keep them', async () => {
      const Bucket = await newBucket(false);
      await expect(anchorsOf(Bucket).take(await newHead(1))).rejects.toMatchObject({
        name: 'InvalidRequest',
      });
      expect(await refusal(owner.send(new GetObjectCommand({ Bucket, Key: anchorKey(1) })))).toBe(
        '404 NoSuchKey',
      );
    });
  });
}
