import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const positive = (fallback: number, maximum = Number.MAX_SAFE_INTEGER) =>
  z.coerce.number().int().positive().max(maximum).default(fallback);
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

/** Hosts that no network lies before: what goes there needs no TLS. As a URL's `hostname` spells them. */
export const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

const MAIL_SERVER = /^smtps?:\/\/([^\s/?#@]*@)?([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?\/?$/i;

/** No parameters: nodemailer would take them as options, those of TLS among them. */
const mailServer = z
  .string()
  .refine(
    (url) => MAIL_SERVER.test(url) && URL.canParse(url),
    'must be smtp://host:port or smtps://user:password@host:port, and no more',
  );

/** `address` or `Name <address>`. */
const mailbox = z
  .string()
  .regex(
    /^([^<>@\r\n]+ <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/,
    'must be an address, or Name <address>',
  );

const webhook = z
  .url({ protocol: /^https?$/ })
  .refine((url) => !/^https?:\/\/[^/]*@/i.test(url), 'must hold no credentials');

/** The key of a webhook as Standard Webhooks writes it: base64 of 24 to 64 bytes, after an optional `whsec_`. */
const webhookKey = z.string().transform((value, context) => {
  const base64 = value.replace(/^whsec_/, '');
  const bytes = Buffer.from(base64, 'base64');
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(base64) && bytes.length >= 24 && bytes.length <= 64) return bytes;
  context.addIssue('must be 24 to 64 random bytes in base64 (openssl rand -base64 32)');
  return z.NEVER;
});

/** `host` or `host:port`, comma-separated, as a URL spells them. */
const hosts = z
  .string()
  .default('')
  .transform((value, context) => {
    const entries = value.split(',').map((entry) => entry.trim().toLowerCase());
    return entries.filter(Boolean).map((entry) => {
      const [, host, port] = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/.exec(entry) ?? [];
      if (host && URL.canParse(`http://${host}`)) return new URL(`http://${host}`).hostname + (port ?? '');
      context.addIssue('must be hosts or host:port, separated by commas');
      return z.NEVER;
    });
  });

/** `syslog+tls://host:port`; the port of RFC 5425 unless it says another. */
const syslogReceiver = z.string().transform((value, context) => {
  const [, host, port = '6514'] =
    /^syslog\+tls:\/\/([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?\/?$/i.exec(value) ?? [];
  if (host && Number(port) > 0 && Number(port) < 65536)
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  context.addIssue('must be syslog+tls://host:port, and no more');
  return z.NEVER;
});

/** Media types, comma-separated, as they are declared: in lower case and without parameters. */
const mediaTypes = z
  .string()
  .transform((value) => value.split(',').map((type) => type.trim()))
  .refine(
    (types) => types.every((type) => /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/.test(type)),
    'must be media types in lower case, separated by commas',
  );

/** The largest object that one PUT can carry (S3), in bytes. */
const LARGEST_PUT = 5 * 1024 ** 3;

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

  /** Where mail goes to, and from whom it is; absent, no mail is sent. */
  SMTP_URL: mailServer.optional(),
  MAIL_FROM: mailbox.optional(),
  /** What sends text messages for us, and the key its requests are signed with; absent, none are sent. */
  SMS_WEBHOOK_URL: webhook.optional(),
  SMS_WEBHOOK_SECRET: webhookKey.optional(),
  /** Hosts that requests of ours may reach although they are private; no other private address is ever asked. */
  OUTBOUND_PRIVATE_HOSTS: hosts,

  /** Largest file a patient may upload, in bytes: it comes as base64, through our memory. */
  FILES_MAX_BYTES: positive(25 * 1024 ** 2, 256 * 1024 ** 2),
  /** How many such files are held in memory at a time; the bodies of the others wait unread. */
  FILES_UPLOADS_AT_ONCE: positive(8),

  /** The media types of inspect files; absent, those whose content we can check (formats/document). */
  INSPECT_CONTENT_TYPES: mediaTypes.optional(),
  /** The largest inspect file, in bytes. */
  INSPECT_MAX_BYTES: z.coerce.number().int().min(1).max(LARGEST_PUT).default(LARGEST_PUT),
  /** How long the completion of an inspect file waits for the worker, in milliseconds. */
  INSPECT_WAIT_MS: z.coerce.number().int().min(0).max(60_000).default(25_000),

  WORKER_CONCURRENCY: positive(24),
  RECONCILE_INTERVAL_MS: positive(2000),
  /** How long deleted content stays recoverable before its purge begins, in hours. */
  PURGE_AFTER_HOURS: z.coerce.number().min(0).default(24),

  /** How often the audit ledger is sealed, in milliseconds. */
  AUDIT_SEAL_INTERVAL_MS: positive(60_000),
  /** How long events stay in the ledger at least, in months: for whoever retires them. HIPAA asks for six years. */
  AUDIT_RETENTION_MONTHS: positive(72, 1200),
  /** Exports of its ledger that an organization may ask for within 24 hours: their files are kept. */
  AUDIT_EXPORTS_PER_DAY: positive(100),
  /** How long the bucket keeps a seal's head from being removed, in days (S3 Object Lock); absent, it is not asked to. */
  AUDIT_LOCK_DAYS: z.coerce.number().int().min(1).max(36_500).optional(),
  /** Where else each head is sent, and the key these requests are signed with; absent, nowhere. */
  AUDIT_ANCHOR_URL: webhook.optional(),
  AUDIT_ANCHOR_SECRET: webhookKey.optional(),

  /** Where sealed events are forwarded to; absent, they are not. */
  AUDIT_SYSLOG_URL: syslogReceiver.optional(),
  /** Files in PEM: who may have signed the receiver's certificate (absent: the usual authorities), and our own. */
  AUDIT_SYSLOG_CA: z.string().optional(),
  AUDIT_SYSLOG_CERT: z.string().optional(),
  AUDIT_SYSLOG_KEY: z.string().optional(),
  /** Where it begins when it is turned on for the first time. */
  AUDIT_SYSLOG_FROM: z.enum(['now', 'beginning']).default('now'),
  /** `false` for receivers that end a connection without TLS's own goodbye (docs/adr/0047). */
  AUDIT_SYSLOG_CLOSE_NOTIFY: flag.default(true),

  RATE_LIMIT_PER_MINUTE: positive(6000),
  CREDENTIAL_FAILURES_PER_MINUTE: positive(30),
  /** One-time codes that may be asked for from one address of the network. */
  SIGN_IN_CODES_PER_MINUTE: positive(20),
  /** Prometheus metrics on a port of their own; absent, they are at /metrics of the API. */
  METRICS_PORT: z.coerce.number().int().min(1).max(65535).optional(),
});

/** The configuration of the API and worker processes, one variable a field. docs/operations.md lists them. */
export const configSchema = fields.superRefine((config, context) => {
  const pairs = [
    ['S3_SIGNER_ACCESS_KEY_ID', 'S3_SIGNER_SECRET_ACCESS_KEY'],
    ['SMS_WEBHOOK_URL', 'SMS_WEBHOOK_SECRET'],
    ['AUDIT_ANCHOR_URL', 'AUDIT_ANCHOR_SECRET'],
    ['AUDIT_SYSLOG_CERT', 'AUDIT_SYSLOG_KEY'],
  ] as const;
  for (const pair of pairs) {
    const missing = pair.filter((name) => config[name] === undefined);
    if (missing.length === 1)
      context.addIssue({ code: 'custom', path: missing, message: 'goes with its other half' });
  }
  if (config.SMTP_URL !== undefined && config.MAIL_FROM === undefined)
    context.addIssue({ code: 'custom', path: ['MAIL_FROM'], message: 'goes with SMTP_URL' });
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
