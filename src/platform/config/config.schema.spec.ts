import { describe, expect, it } from '@jest/globals';
import { type ConfigError, parseConfig } from './config.schema.js';

const COMPLETE = {
  SCANDOCK_MASTER_KEY: 'ab'.repeat(32),
  DATABASE_URL: 'postgresql://app:p@db/scandock',
  S3_ENDPOINT: 'https://s3.example/',
  S3_ACCESS_KEY_ID: 'id',
  S3_SECRET_ACCESS_KEY: 'topsecretvalue',
};

/** Who sends messages for us; what only goes together with it can be judged alone then. */
const MESSAGES = {
  SMTP_URL: 'smtps://user:p%40ss@mail.example:465',
  MAIL_FROM: 'Scandock <no-reply@scandock.example>',
  SMS_WEBHOOK_URL: 'https://sms.example/send?account=1',
  SMS_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
};

function problemsOf(environment: NodeJS.ProcessEnv): string[] {
  try {
    parseConfig(environment);
    return [];
  } catch (error) {
    return (error as ConfigError).problems;
  }
}

describe('a configuration', () => {
  it('needs a master key, a database and a bucket, and says so for each', () => {
    expect(problemsOf({}).sort()).toEqual([
      'DATABASE_URL is required',
      'S3_ACCESS_KEY_ID is required',
      'S3_ENDPOINT is required',
      'S3_SECRET_ACCESS_KEY is required',
      'SCANDOCK_MASTER_KEY is required',
    ]);
  });

  it('takes an empty variable for an absent one', () => {
    expect(problemsOf({ ...COMPLETE, DATABASE_URL: '' })).toEqual(['DATABASE_URL is required']);
    expect(parseConfig({ ...COMPLETE, PORT: '', REDIS_URL: '' })).toMatchObject({ PORT: 3000 });
  });

  it.each([
    ['PORT', '65536'],
    ['PORT', 'x'],
    ['PORT', '-1'],
    ['PUBLIC_URL', 'ftp://a'],
    ['PUBLIC_URL', 'example.org'],
    ['SCANDOCK_MASTER_KEY', 'changeme'],
    ['SCANDOCK_MASTER_KEY', 'ab'.repeat(31)],
    ['SCANDOCK_MASTER_KEY', Buffer.alloc(31).toString('base64')],
    ['DATABASE_URL', 'mysql://a'],
    ['DATABASE_POOL_SIZE', '0'],
    ['REDIS_URL', 'http://a'],
    ['S3_ENDPOINT', 's3.example'],
    ['S3_BUCKET', 'ab'],
    ['S3_FORCE_PATH_STYLE', 'yes'],
    ['LOG_LEVEL', 'loud'],
    ['RATE_LIMIT_PER_MINUTE', '0'],
    ['CREDENTIAL_FAILURES_PER_MINUTE', '1.5'],
    ['METRICS_PORT', '0'],
    ['S3_SIGN_ABSENT_HEADERS', 'yes'],
    ['S3_REQUIRE_ENCRYPTION', '1'],
    ['STORAGE_EVENTS_SECRET', 'x'.repeat(31)],
    ['SMTP_URL', 'mail.example:587'],
    ['SMTP_URL', 'http://mail.example'],
    ['SMTP_URL', 'smtps://'],
    ['SMTP_URL', 'smtp://:25'],
    ['SMTP_URL', 'smtp://mail.example:65536'],
    ['SMTP_URL', 'smtp://mail.example/?tls.rejectUnauthorized=false'],
    ['SMTP_URL', 'smtp://mail.example?requireTLS=false'],
    ['SMTP_URL', 'smtps://mail.example/path'],
    ['MAIL_FROM', 'Scandock'],
    ['MAIL_FROM', 'a@example.org, b@example.org'],
    ['MAIL_FROM', 'Scandock <a@example.org>\r\nBcc: <b@example.org>'],
    ['SMS_WEBHOOK_URL', 'sms.example'],
    ['SMS_WEBHOOK_URL', 'ftp://sms.example'],
    ['SMS_WEBHOOK_URL', 'https://user:secret@sms.example'],
    ['SMS_WEBHOOK_SECRET', 'x'.repeat(31)],
    ['SMS_WEBHOOK_SECRET', 'correct-horse-battery-staple-and-more'],
    ['SMS_WEBHOOK_SECRET', `whsec_${Buffer.alloc(23).toString('base64')}`],
    ['SMS_WEBHOOK_SECRET', Buffer.alloc(65).toString('base64')],
    ['OUTBOUND_PRIVATE_HOSTS', 'https://sms.internal'],
    ['OUTBOUND_PRIVATE_HOSTS', 'sms.internal, 10.0.0.0/8'],
    ['OUTBOUND_PRIVATE_HOSTS', '*'],
    ['OUTBOUND_PRIVATE_HOSTS', '[fd00::zz]'],
  ])('with %s=%s names that variable, why, and never its value', (name, value) => {
    const problems = problemsOf({ ...COMPLETE, ...MESSAGES, [name]: value });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: .{5,}`));
    if (/KEY|SECRET/.test(name)) expect(problems[0]).not.toContain(value);
  });

  it('names all that is wrong at once', () => {
    expect(problemsOf({ ...COMPLETE, PORT: 'x', LOG_LEVEL: 'x' })).toHaveLength(2);
    expect(() => parseConfig({ ...COMPLETE, PORT: 'x' })).toThrow(/not usable:\n {2}PORT: /);
  });

  it('reads the master key as hexadecimal or base64', () => {
    expect(parseConfig(COMPLETE).SCANDOCK_MASTER_KEY.equals(Buffer.alloc(32, 0xab))).toBe(true);
    const base64 = Buffer.alloc(32, 7).toString('base64');
    expect(parseConfig({ ...COMPLETE, SCANDOCK_MASTER_KEY: base64 }).SCANDOCK_MASTER_KEY[0]).toBe(7);
  });

  it('has no default for what must be secret', () => {
    for (const name of ['SCANDOCK_MASTER_KEY', 'S3_SECRET_ACCESS_KEY', 'DATABASE_URL'])
      expect(problemsOf({ ...COMPLETE, [name]: undefined })).toEqual([`${name} is required`]);
  });

  it('trusts no proxy, listens on loopback and allows no origin unless told to', () => {
    expect(parseConfig(COMPLETE)).toMatchObject({ TRUST_PROXY: false, HOST: '127.0.0.1', CORS_ORIGINS: [] });
  });

  it.each([
    ['S3_SIGNER_ACCESS_KEY_ID', 'S3_SIGNER_SECRET_ACCESS_KEY', 'given', 'too'],
    ['S3_SIGNER_SECRET_ACCESS_KEY', 'S3_SIGNER_ACCESS_KEY_ID', 'given', 'too'],
    ['SMS_WEBHOOK_URL', 'SMS_WEBHOOK_SECRET', MESSAGES.SMS_WEBHOOK_URL, MESSAGES.SMS_WEBHOOK_SECRET],
    ['SMS_WEBHOOK_SECRET', 'SMS_WEBHOOK_URL', MESSAGES.SMS_WEBHOOK_SECRET, MESSAGES.SMS_WEBHOOK_URL],
    ['SMTP_URL', 'MAIL_FROM', 'smtp://127.0.0.1:25', 'a@example.org'],
  ])('with %s needs %s too', (name, other, value, otherValue) => {
    expect(problemsOf({ ...COMPLETE, [name]: value })).toEqual([`${other} is required`]);
    expect(problemsOf({ ...COMPLETE, [name]: value, [other]: otherValue })).toEqual([]);
  });

  it('sends no messages and asks nobody in a private network unless told to', () => {
    const { SMTP_URL, SMS_WEBHOOK_URL, OUTBOUND_PRIVATE_HOSTS } = parseConfig(COMPLETE);
    expect([SMTP_URL, SMS_WEBHOOK_URL, OUTBOUND_PRIVATE_HOSTS]).toEqual([undefined, undefined, []]);
    expect(problemsOf({ ...COMPLETE, MAIL_FROM: MESSAGES.MAIL_FROM })).toEqual([]);
  });

  it('reads the key of a webhook as base64, with its prefix or without', () => {
    const key = (SMS_WEBHOOK_SECRET: string) =>
      parseConfig({ ...COMPLETE, ...MESSAGES, SMS_WEBHOOK_SECRET }).SMS_WEBHOOK_SECRET;
    expect(key(MESSAGES.SMS_WEBHOOK_SECRET)).toEqual(Buffer.alloc(32, 7));
    expect(key(MESSAGES.SMS_WEBHOOK_SECRET.replace('whsec_', ''))).toEqual(Buffer.alloc(32, 7));
  });

  it('reads private hosts as a URL spells them', () => {
    const list = 'SMS.internal, 10.1.2.3:8080,[FD00:0::1]:443 ,[::1],';
    expect(parseConfig({ ...COMPLETE, OUTBOUND_PRIVATE_HOSTS: list }).OUTBOUND_PRIVATE_HOSTS).toEqual([
      'sms.internal',
      '10.1.2.3:8080',
      '[fd00::1]:443',
      '[::1]',
    ]);
  });

  it('reads lists, and proxies as switch, hops or addresses', () => {
    expect(parseConfig({ ...COMPLETE, CORS_ORIGINS: 'https://a, https://b,' }).CORS_ORIGINS).toEqual([
      'https://a',
      'https://b',
    ]);
    expect(parseConfig({ ...COMPLETE, TRUST_PROXY: 'true' }).TRUST_PROXY).toBe(true);
    expect(parseConfig({ ...COMPLETE, TRUST_PROXY: '10.0.0.1, 10.0.0.2' }).TRUST_PROXY).toEqual([
      '10.0.0.1',
      '10.0.0.2',
    ]);
    const hops = parseConfig({ ...COMPLETE, TRUST_PROXY: '2' }).TRUST_PROXY as (
      a: string,
      hop: number,
    ) => boolean;
    expect([0, 1, 2].map((hop) => hops('', hop))).toEqual([true, true, false]);
  });

  it('drops the slash at the end of an endpoint', () => {
    expect(parseConfig(COMPLETE).S3_ENDPOINT).toBe('https://s3.example');
  });
});

describe('in production', () => {
  const production = { ...COMPLETE, NODE_ENV: 'production' };

  it.each([
    'https://api.example',
    'http://localhost:8080',
    'http://127.0.0.1:3000',
    'http://127.9.9.9',
    'http://[::1]:3000',
  ])('callers may come to %s', (PUBLIC_URL) => {
    expect(problemsOf({ ...production, PUBLIC_URL })).toEqual([]);
    expect(problemsOf({ ...production, S3_PUBLIC_ENDPOINT: PUBLIC_URL })).toEqual([]);
  });

  it.each([
    'http://api.example',
    'http://10.0.0.1',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'http://0.0.0.0:3000',
  ])('they may not come to %s, which is no TLS', (PUBLIC_URL) => {
    expect(problemsOf({ ...production, PUBLIC_URL })).toEqual(['PUBLIC_URL: must be https in production']);
    expect(problemsOf({ ...production, S3_PUBLIC_ENDPOINT: PUBLIC_URL })).toEqual([
      'S3_PUBLIC_ENDPOINT: must be https in production',
    ]);
    expect(problemsOf({ ...COMPLETE, PUBLIC_URL, S3_PUBLIC_ENDPOINT: PUBLIC_URL })).toEqual([]);
  });

  it('the bucket has to encrypt unless somebody says otherwise; elsewhere the other way round', () => {
    const required = (environment: NodeJS.ProcessEnv) => parseConfig(environment).S3_REQUIRE_ENCRYPTION;
    expect(required(production)).toBe(true);
    expect(required({ ...production, S3_REQUIRE_ENCRYPTION: 'false' })).toBe(false);
    expect(required(COMPLETE)).toBe(false);
    expect(required({ ...COMPLETE, NODE_ENV: 'test', S3_REQUIRE_ENCRYPTION: 'true' })).toBe(true);
  });
});

describe('a syslog receiver', () => {
  const receiver = (url: string) => parseConfig({ ...COMPLETE, AUDIT_SYSLOG_URL: url }).AUDIT_SYSLOG_URL;

  it.each([
    ['syslog+tls://logs.example', 'logs.example', 6514],
    ['syslog+tls://logs.example:10514', 'logs.example', 10514],
    ['syslog+tls://192.0.2.1:6514/', '192.0.2.1', 6514],
    ['syslog+tls://[2001:db8::1]:6514', '2001:db8::1', 6514],
  ])('%s', (url, host, port) => expect(receiver(url)).toEqual({ host, port }));

  it.each([
    'syslog://logs.example',
    'syslog+udp://logs.example:514',
    'syslog+tls://',
    'syslog+tls://user@logs.example',
    'syslog+tls://logs.example:0',
    'syslog+tls://logs.example:65536',
    'syslog+tls://logs.example/path',
  ])('is not at %s', (url) =>
    expect(problemsOf({ ...COMPLETE, AUDIT_SYSLOG_URL: url })).toEqual([
      'AUDIT_SYSLOG_URL: must be syslog+tls://host:port, and no more',
    ]),
  );

  it('is off by default, and is shown a certificate only with its key', () => {
    expect(parseConfig(COMPLETE).AUDIT_SYSLOG_URL).toBeUndefined();
    expect(problemsOf({ ...COMPLETE, AUDIT_SYSLOG_CERT: '/a.pem' })).toEqual([
      'AUDIT_SYSLOG_KEY is required',
    ]);
  });
});
