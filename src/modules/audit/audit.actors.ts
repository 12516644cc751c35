import type { AuditActor } from './audit.events.js';

/** Whoever runs a command of `scandock` on the deployment's own machines. */
export const OPERATOR: AuditActor = { kind: 'system', id: 'operator' };

/** A worker that goes on by itself with what somebody has asked for. */
export const WORKER: AuditActor = { kind: 'system', id: 'worker' };
