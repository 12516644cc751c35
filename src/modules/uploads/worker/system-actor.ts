import type { AuditActor } from '../../audit/audit.events.js';

/** Who acts when no caller does. */
export const SYSTEM: AuditActor = { kind: 'system', id: 'reconciler' };
