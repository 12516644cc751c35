import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The process's metrics. Labels are operation names and states, never an id, a path or a value. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });

const requests = new Histogram({
  name: 'scandock_http_request_seconds',
  help: 'Time from the request to the end of its response.',
  labelNames: ['operation', 'method', 'status'],
  buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
  registers: [metrics],
});

export function observeRequest(request: {
  operation: string;
  method: string;
  status: number;
  seconds: number;
}): void {
  const status = `${Math.floor(request.status / 100)}xx`;
  requests.observe({ operation: request.operation, method: request.method, status }, request.seconds);
}

export const auditFailures = new Counter({
  name: 'scandock_audit_write_failures_total',
  help: 'Requests refused because the audit ledger could not be written.',
  registers: [metrics],
});

export const auditDefaultRows = new Gauge({
  name: 'scandock_audit_default_partition_rows',
  help: 'Audit events that no month’s partition took, counted up to a thousand. They are safe, but cannot be retired.',
  registers: [metrics],
});

export const auditForwardBehind = new Gauge({
  name: 'scandock_audit_forward_behind',
  help: 'Sealed audit events that the syslog receiver has not taken yet.',
  registers: [metrics],
});

export const auditForwardOldestSeconds = new Gauge({
  name: 'scandock_audit_forward_oldest_seconds',
  help: 'Age of the oldest of them.',
  registers: [metrics],
});

export const ledgerRecords = new Gauge({
  name: 'scandock_ledger_records',
  help: 'Uploads that stand in an unsettled state.',
  labelNames: ['state'],
  registers: [metrics],
});

export const ledgerOldestSeconds = new Gauge({
  name: 'scandock_ledger_oldest_seconds',
  help: 'Age of the oldest upload in an unsettled state. The alarm that matters.',
  labelNames: ['state'],
  registers: [metrics],
});

export const ledgerParked = new Gauge({
  name: 'scandock_ledger_parked',
  help: 'Uploads set aside after repeated unexpected failures.',
  registers: [metrics],
});

export const uploadsSettled = new Counter({
  name: 'scandock_uploads_settled_total',
  help: 'Uploads by the state and rule they ended in.',
  labelNames: ['state', 'rule'],
  registers: [metrics],
});

export const auditSealFailures = new Counter({
  name: 'scandock_audit_seal_failures_total',
  help: 'Attempts to seal the audit ledger that did not seal all of it.',
  registers: [metrics],
});

export const auditMissing = new Counter({
  name: 'scandock_audit_missing_total',
  help: 'Events of the audit ledger that were gone when they were to be sealed.',
  registers: [metrics],
});

export const auditUnsealed = new Gauge({
  name: 'scandock_audit_unsealed',
  help: 'Events of the audit ledger that wait for their seal.',
  registers: [metrics],
});

export const auditUnsealedOldestSeconds = new Gauge({
  name: 'scandock_audit_unsealed_oldest_seconds',
  help: 'Age of the oldest event that waits for its seal.',
  registers: [metrics],
});

export const auditSealAgeSeconds = new Gauge({
  name: 'scandock_audit_seal_age_seconds',
  help: 'How far the time of the newest seal is from now.',
  registers: [metrics],
});

export const auditAnchorBehind = new Gauge({
  name: 'scandock_audit_anchor_behind',
  help: 'Seals whose head has not been taken to a place outside of the database.',
  labelNames: ['place'],
  registers: [metrics],
});

export const auditAnchorConflicts = new Counter({
  name: 'scandock_audit_anchor_conflicts_total',
  help: 'Times that another head than ours was found under its number in the bucket.',
  registers: [metrics],
});

/** Only the worker that leads knows how the audit ledger stands; another's figures would be stale. */
export function forgetAuditGauges(): void {
  for (const gauge of [
    auditDefaultRows,
    auditUnsealed,
    auditUnsealedOldestSeconds,
    auditSealAgeSeconds,
    auditAnchorBehind,
  ])
    gauge.reset();
}
