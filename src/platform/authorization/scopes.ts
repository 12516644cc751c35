/** Every scope there is, `<resource>:<action>`. What a token may do = its scopes AND its principal's roles. */
export const SCOPES = [
  'orders:write',
  'orders:read',
  'uploads:write',
  'uploads:read',
  'metadata:write',
  'exams:write',
  'exams:read',
  'files:write',
  'files:read',
  'cases:write',
  'cases:read',
  'studies:read',
  'studies:write',
  'originals:read',
  'results:read',
  'results:write',
  'audit:read',
  'audit:export',
  'access:manage',
  'webhooks:manage',
] as const;

export type Scope = (typeof SCOPES)[number];

/** What the token of a patient is good for, whatever the session. That of staff is good for all: roles say what they may. */
export const PATIENT_SCOPES: readonly Scope[] = ['files:read', 'files:write'];

export const isScope = (value: string): value is Scope => (SCOPES as readonly string[]).includes(value);
