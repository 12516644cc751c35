import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const positive = (fallback: number) => z.coerce.number().int().positive().default(fallback);
const httpUrl = z.url({ protocol: /^https?$/ }).transform((value) => value.replace(/\/+$/, ''));
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/ });

/** 32 random bytes, as 64 hex digits or as base64. */
const masterKey = z.string().transform((value, context) => {
  const bytes = /^[0-9a-f]{64}$/i.test(value) ? Buffer.from(value, 'hex') : Buffer.from(value, 'base64');
  if (bytes.length === 32) return bytes;
  context.addIssue('must be 32 random bytes, as 64 hex digits or base64 (openssl rand -hex 32)');
  return z.NEVER;
});

/** `false`, `true`, a number of hops, or a comma-separated list of proxies' addresses (Fastify's `trustProxy`). */
const trustProxy = z
  .string()
  .default('false')
  .transform((value) => {
    if (value === 'true' || value === 'false') return value === 'true';
    if (!/^\d+$/.test(value)) return value.split(',').map((address) => address.trim());
    return (_address: string, hop: number) => hop < Number(value);
  });

/** Hosts that no network lies before: what goes there needs no TLS. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

const fields = z.object({
  /** `production` turns on what must not be missing there: TLS before the callers, encryption behind the bucket. */
  NODE_ENV: z.string().optional(),
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  HOST: z.string().min(1).default('127.0.0.1'),
  /** What callers reach us by: issuer and audience of tokens, base of share links. */
  PUBLIC_URL: httpUrl
    .refine((url) => new URL(url).pathname === '/', 'must have no path')
    .default('http://127.0.0.1:3000'),
  TRUST_PROXY: trustProxy,
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((value) =>
      value
        .split(',')
        .map((origin) => origin.trim())
        .filter(Boolean),
    ),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  SCANDOCK_MASTER_KEY: masterKey,

  /** The application role: no superuser, no BYPASSRLS, owner of nothing. Checked at boot. */
  DATABASE_URL: postgresUrl,
  /** Connections of each of the two pools (Prisma's and the hot path's); the queue on Postgres takes some more. */
  DATABASE_POOL_SIZE: positive(8),
  /** Absent: the queue runs on DATABASE_URL. */
  REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),

  S3_ENDPOINT: httpUrl,
  /** The host in presigned URLs, when callers reach the bucket by another name than we do. */
  S3_PUBLIC_ENDPOINT: httpUrl.optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_BUCKET: z.string().min(3).default('scandock'),
  S3_ACCESS_KEY_ID: z.string().min(1),
  S3_SECRET_ACCESS_KEY: z.string().min(1),
  S3_FORCE_PATH_STYLE: flag.default(true),
  /** Credentials that presigned URLs are signed with; absent, the process's own. */
  S3_SIGNER_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SIGNER_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  /** For Ceph RGW, which obeys headers nobody signed: names them in the signature of a PUT as absent. */
  S3_SIGN_ABSENT_HEADERS: flag.default(false),
  /** Refuse to start before a bucket without default encryption. In production true unless set. */
  S3_REQUIRE_ENCRYPTION: flag.default(false),
  /** What notifications of the bucket must show. Absent, none are taken. */
  STORAGE_EVENTS_SECRET: z.string().min(32).optional(),

  WORKER_CONCURRENCY: positive(24),
  RECONCILE_INTERVAL_MS: positive(2000),
  /** How long deleted content stays recoverable before its purge begins, in hours. */
  PURGE_AFTER_HOURS: z.coerce.number().min(0).default(24),

  RATE_LIMIT_PER_MINUTE: positive(6000),
  CREDENTIAL_FAILURES_PER_MINUTE: positive(30),
  /** Prometheus metrics on a port of their own; absent, they are at /metrics of the API. */
  METRICS_PORT: z.coerce.number().int().min(1).max(65535).optional(),
});

/** The configuration of the API and worker processes, one variable a field. docs/operations.md lists them. */
export const configSchema = fields.superRefine((config, context) => {
  const signer = ['S3_SIGNER_ACCESS_KEY_ID', 'S3_SIGNER_SECRET_ACCESS_KEY'] as const;
  const missing = signer.filter((name) => config[name] === undefined);
  if (missing.length === 1)
    context.addIssue({
      code: 'custom',
      path: missing,
      message: 'goes with the other half of the credential',
    });
  if (config.NODE_ENV !== 'production') return;
  for (const name of ['PUBLIC_URL', 'S3_PUBLIC_ENDPOINT'] as const) {
    const url = config[name] === undefined ? undefined : new URL(config[name]);
    if (url?.protocol === 'http:' && !LOOPBACK.test(url.hostname))
      context.addIssue({ code: 'custom', path: [name], message: 'must be https in production' });
  }
});

/** Typed configuration; also the injection token. */
export type ConfigValues = z.output<typeof configSchema>;

/** A configuration that cannot be used: one line for each variable, saying which and why. */
export class ConfigError extends Error {
  constructor(readonly problems: string[]) {
    super(`The configuration is not usable:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads the environment; empty variables count as absent. Throws {@link ConfigError}. */
export function parseConfig(environment: NodeJS.ProcessEnv): ConfigValues {
  const present = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const byDefault = { S3_REQUIRE_ENCRYPTION: String(present.NODE_ENV === 'production') };
  const result = configSchema.safeParse({ ...byDefault, ...present });
  if (result.success) return result.data;
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      return present[name] === undefined ? `${name} is required` : `${name}: ${issue.message}`;
    }),
  );
}
