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
