import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ERROR_FORMATS } from '../../src/api.module.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { unavailable } from '../../src/platform/errors/application-error.js';
import { errorHeaders, formatFor, renderError } from '../../src/platform/http/error-format.js';
import type { Route } from '../../src/platform/http/route-table.js';
import { Enqueuer } from '../../src/platform/queue/enqueuer.js';
import { allCalls } from '../contract/all-calls.js';
import { Surfaces } from '../contract/surfaces.js';
import { type CapturedCall, captureCall } from '../support/captured-call.js';
import { IMPATIENT, LEDGER_FAULTS } from './ledger-faults.js';
import { settledState, wholeState } from './whole-state.js';

/**
 * Whatever may be done on any surface is made ready, each call up to its last request. Then the ledger is taken away in
 * each of the ways it can be, and each request is sent: as one that would succeed, one that would fail, and one of a
 * stranger. Nothing may happen of it. In the end the ledger is back, and what has failed succeeds.
 */
jest.setTimeout(600_000);

/** Calls at once, each with a connection: those that wait for a lock wait for seconds. */
const PARALLEL = 40;

/** A provider's code is spent with the first try, whatever comes of it: whoever signs in begins once more. */
const SPENT_ELSEWHERE = ['POST /api/v1/staff/auth/oidc/finish', 'POST /api/v1/staff/auth/oidc/link/finish'];

/** So that it can be, a flow is spent before the provider is asked: that is no part of what comes of it. */
const FLOWS = 'spent_token';

/** The worker tries exports that were asked for before, again and again: nothing is sealed here that they could hold. */
const TRIED = { audit_export: ['attempts', 'tries', 'state', 'failure', 'progressed_at', 'finished_at'] };

let surfaces: Surfaces;
let successes: Map<string, CapturedCall>;
let others: Map<string, CapturedCall>;

const audited = (): Route[] =>
  surfaces.world.api.routes.filter(({ operation }) => operation.audited !== 'never');

beforeAll(async () => {
  surfaces = await Surfaces.open({ DATABASE_POOL_SIZE: String(PARALLEL) }, IMPATIENT);
  const calls = allCalls(() => surfaces);
  const exam = await surfaces.sharedExam();
  const given = () => Promise.resolve(exam);
  [successes, others] = [new Map(), new Map()];
  for (const route of audited()) {
    const name = `${route.method} ${route.path}`;
    const { success, failure } = calls[name]!;
    const captured = await captureCall(route, () => success(given, surfaces.client));
    successes.set(name, captured);
    others.set(`${name}: failure`, await captureCall(route, () => failure(given, surfaces.client)));
    if (!route.public) others.set(`${name}: stranger`, captured.without('authorization'));
  }
  // Codes and tokens are as good as they are now, however long it takes.
  const now = new Date();
  surfaces.world.api.app.get(Clock).now = () => now;
});
afterAll(() => surfaces.close());

it('is done to every audited route', () => {
  expect([...successes.keys()].sort()).toEqual(Object.keys(allCalls(() => surfaces)).sort());
  expect(successes.size).toBeGreaterThan(120);
});

describe.each(LEDGER_FAULTS)('while the ledger is $name', ({ name, strike }) => {
  it('every call is refused clearly, and nothing happens', async () => {
    const { world } = surfaces;
    const before = await settledState(world, TRIED);
    const enqueue = jest.spyOn(world.api.app.get(Enqueuer), 'enqueue');
    const repair = await strike(world);
    // What fails, and strangers, write their event the same way, wherever it is.
    const waiting = [...successes, ...(name === 'full' ? others : [])];
    try {
      const caller = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) await expectRefusal(...next);
      };
      await Promise.all(Array.from({ length: PARALLEL }, caller));
      expect(enqueue).not.toHaveBeenCalled();
    } finally {
      await repair();
      enqueue.mockRestore();
    }
    expect(butFor(FLOWS, await wholeState(world, TRIED))).toEqual(butFor(FLOWS, before));
  });
});

function butFor(left: string, { [left]: _, ...state }: Record<string, string>): Record<string, string> {
  return state;
}

/** 503 in the format of the surface, with nothing of what would have been answered and nothing of the cause. */
async function expectRefusal(name: string, call: CapturedCall): Promise<void> {
  const { status, headers, text } = await call.send();
  expect({ name, status, text }).toMatchObject({ name, status: 503 });
  const format = formatFor(ERROR_FORMATS, new URL(call.url).pathname);
  const error = unavailable(undefined);
  const requestId = headers.get('x-request-id')!;
  expect({ name, type: headers.get('content-type')!.split(';')[0] }).toEqual({
    name,
    type: format.contentType.split(';')[0],
  });
  expect({ name, text }).toEqual({ name, text: renderError(format, error, requestId) });
  for (const [header, value] of Object.entries({ ...errorHeaders(format, error), 'retry-after': '2' }))
    expect({ name, header, value: headers.get(header) }).toEqual({ name, header, value });
  for (const header of ['set-cookie', 'location'])
    expect({ name, header, value: headers.get(header) }).toEqual({ name, header, value: null });
}

it('when it is back, every call succeeds that was refused, and is told of', async () => {
  const failed: string[] = [];
  for (const [name, call] of successes) {
    if (SPENT_ELSEWHERE.includes(name)) continue;
    const { status, headers, text } = await call.send();
    const { rows } = await surfaces.world.admin.query<{ outcome: string }>(
      'SELECT DISTINCT outcome FROM audit_event WHERE request_id = $1',
      [headers.get('x-request-id')],
    );
    if (status >= 400 || rows.length !== 1 || rows[0]!.outcome !== 'success')
      failed.push(`${name}: ${status} ${JSON.stringify(rows)} ${text.slice(0, 300)}`);
  }
  expect(failed).toEqual([]);
});
