// What `GET /upload` is measured against, in a process of its own as the API is: a route that only signs, and one that
// does the same as ours in the way everybody would write it. Forked by 6-issue.bench.mjs.
import { createPublicKey, randomUUID } from 'node:crypto';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { PrismaPg } from '@prisma/adapter-pg';
import fastify from 'fastify';
import jsonwebtoken from 'jsonwebtoken';
import { PrismaClient } from '../../dist/generated/prisma/client.js';
import { parseConfig } from '../../dist/platform/config/config.schema.js';
import { Presigner } from '../../dist/platform/storage/presigner.js';

const { BENCH_ISSUER: issuer, BENCH_ORGANIZATION: organizationId } = process.env;
const principalId = randomUUID();
const config = parseConfig(process.env);
const { keys } = await (await fetch(`${issuer}/.well-known/jwks.json`)).json();
const publicKeys = new Map(keys.map((key) => [key.kid, createPublicKey({ key, format: 'jwk' })]));
const presigner = new Presigner(config);
const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: config.DATABASE_URL, max: config.DATABASE_POOL_SIZE }),
});
const s3 = new S3Client({
  endpoint: config.S3_ENDPOINT,
  region: config.S3_REGION,
  forcePathStyle: true,
  credentials: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY },
  requestChecksumCalculation: 'WHEN_REQUIRED',
});

const app = fastify();
app.get('/signed', async () => {
  const key = `staging/${organizationId}/${randomUUID()}`;
  const { url } = await presigner.put(key, undefined, new Date());
  return { url, key };
});

app.get('/prisma', async ({ headers }) => {
  const token = headers.authorization.slice('Bearer '.length);
  const { kid } = jsonwebtoken.decode(token, { complete: true }).header;
  jsonwebtoken.verify(token, publicKeys.get(kid), { algorithms: ['ES256'] });
  const id = randomUUID();
  const now = new Date();
  await prisma.$transaction(async (tx) => {
    await tx.$queryRaw`SELECT set_config('app.organization_id', ${organizationId}, true)`;
    await tx.upload.create({
      data: {
        id,
        organizationId,
        surface: 'ingestion',
        state: 'issued',
        stateChangedAt: now,
        principalKind: 'client',
        principalId,
        issuedAt: now,
        urlExpiresAt: new Date(now.getTime() + 900_000),
      },
      select: { id: true },
    });
    await tx.auditEvent.create({
      data: {
        id: randomUUID(),
        occurredAt: now,
        organizationId,
        actorKind: 'client',
        actorId: principalId,
        action: 'uploads:issue',
        outcome: 'success',
        resourceType: 'Upload',
        resourceId: id,
        scopes: [],
        detail: {},
      },
      select: { id: true },
    });
  });
  const key = `staging/${organizationId}/${id}`;
  const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: config.S3_BUCKET, Key: key }), {
    expiresIn: 900,
  });
  return { url, key };
});

process.send(await app.listen({ host: '127.0.0.1', port: 0 }));
process.once('disconnect', () => process.exit());
