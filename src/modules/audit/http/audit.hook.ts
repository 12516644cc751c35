import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isUuid } from '../../../platform/database/id.js';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import { unavailable } from '../../../platform/errors/application-error.js';
import { auditFailures } from '../../../platform/health/metrics.js';
import {
  type ErrorFormat,
  errorHeaders,
  formatFor,
  renderError,
} from '../../../platform/http/error-format.js';
import { causeForLog } from '../../../platform/logging/cause-for-log.js';
import type { AuditEntry, AuditOutcome } from '../audit.events.js';
import type { AuditService } from '../audit.service.js';
import { SuppressedFailures } from './suppressed-failures.js';

/**
 * Writes the event of every read, denial and failure BEFORE the response leaves. When the ledger cannot be written the
 * caller gets a 503 instead of the answer: nothing is told that was not recorded.
 */
export function auditResponses(
  server: FastifyInstance,
  audit: AuditService,
  formats: ErrorFormat[],
  anonymousFailuresPerMinute: number,
): SuppressedFailures {
  const suppressed = new SuppressedFailures(audit, anonymousFailuresPerMinute);
  server.addHook('onSend', async (request, reply, payload) => {
    const entry = eventOf(request, reply);
    if (!entry || suppressed.takes(entry, reply.statusCode)) return payload;
    try {
      await audit.append(entry);
      return payload;
    } catch (cause) {
      auditFailures.inc();
      const { requestId } = request.context.info;
      request.log.error({ requestId, cause: causeForLog(cause) }, 'the audit ledger could not be written');
      const format = formatFor(formats, request.url);
      const error = unavailable(cause);
      request.context.error = error;
      for (const name of ['location', 'set-cookie', 'content-length', 'content-encoding'])
        reply.removeHeader(name);
      reply
        .code(error.status)
        .headers({ 'cache-control': 'no-store', ...errorHeaders(format, error) })
        .type(format.contentType);
      return renderError(format, error, requestId);
    }
  });
  return suppressed;
}

/** The event this response needs, unless the service has written it with its change. */
function eventOf(request: FastifyRequest, reply: FastifyReply): AuditEntry | undefined {
  const { operation, principal, portal, caller, info, error } = request.context;
  if (!operation || operation.audited === 'never') return undefined;
  const outcome = outcomeOf(reply.statusCode);
  if (outcome === 'success' && operation.audited === 'transaction') return undefined;
  return {
    organizationId:
      principal?.organizationId ??
      portal?.organizationId ??
      info.about?.organizationId ??
      PLATFORM_ORGANIZATION,
    actor: principal
      ? { kind: principal.kind, id: principal.id, label: principal.label }
      : { kind: 'anonymous' },
    action: operation.name,
    outcome,
    resource: { type: operation.subject, ...resourceNamedBy(request), ...info.about?.resource },
    ...(info.about?.studyRef && { studyRef: info.about.studyRef }),
    ...(info.about?.patientRef && { patientRef: info.about.patientRef }),
    origin: info,
    scopes: caller?.scopes ?? [],
    detail: outcome === 'success' ? {} : { status: reply.statusCode, code: error?.code ?? 'unknown' },
  };
}

/**
 * What a request was about: its path's id, else the order it names where its route takes one: of other routes a query is
 * what the caller likes it to be. Only UUIDs: nothing else a caller writes, a StudyInstanceUID least of all, belongs in the
 * ledger.
 */
function resourceNamedBy({ params, query, body, context }: FastifyRequest): { type?: string; id?: string } {
  const { operation, declares } = context;
  const { id } = (params ?? {}) as { id?: unknown };
  const type = operation?.pathNames;
  if (isUuid(id)) return { ...(type && { type }), id: id.toLowerCase() };
  const order = [declares?.query.has('order_id') && query, declares?.body.has('order_id') && body]
    .map((part) => ((part || {}) as { order_id?: unknown }).order_id)
    .find(isUuid);
  return order ? { type: 'Order', id: order.toLowerCase() } : {};
}

function outcomeOf(status: number): AuditOutcome {
  if (status < 400) return 'success';
  return status === 401 || status === 403 ? 'denied' : 'failure';
}
