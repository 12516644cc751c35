import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PLATFORM_ORGANIZATION } from '../../../platform/authorization/platform-organization.js';
import type { AuditEntry } from '../audit.events.js';
import type { AuditService } from '../audit.service.js';
import { SuppressedFailures } from './suppressed-failures.js';

let written: AuditEntry[];
let broken: boolean;
let suppressed: SuppressedFailures;

beforeEach(() => {
  written = [];
  broken = false;
  const append = (entry: AuditEntry): Promise<void> =>
    broken ? Promise.reject(new Error('away')) : Promise.resolve(void written.push(entry));
  suppressed = new SuppressedFailures({ append } as unknown as AuditService, 3);
});
afterEach(() => suppressed.close());

const failure = (changes: Partial<AuditEntry> = {}): AuditEntry => ({
  organizationId: PLATFORM_ORGANIZATION,
  actor: { kind: 'anonymous' },
  action: 'tokens:issue',
  outcome: 'denied',
  origin: { ip: '192.0.2.1' },
  ...changes,
});
const counts = () => written.map(({ origin, detail }) => [origin?.ip, (detail as { count: number }).count]);

describe('failures anybody can cause', () => {
  it('are written one by one up to the number a minute, then counted', async () => {
    expect([1, 2, 3, 4, 5].map(() => suppressed.takes(failure(), 401))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    await suppressed.flush();
    expect(written).toEqual([
      {
        organizationId: PLATFORM_ORGANIZATION,
        actor: { kind: 'anonymous' },
        action: 'auth:suppressed-failures',
        outcome: 'denied',
        origin: { ip: '192.0.2.1' },
        detail: { route: 'tokens:issue', count: 2 },
      },
    ]);
    expect(suppressed.takes(failure(), 401)).toBe(false); // the next minute
  });

  it('are counted from the first past the rate limit, per address and route', async () => {
    expect(suppressed.takes(failure(), 429)).toBe(true);
    suppressed.takes(failure({ origin: { ip: '192.0.2.2' } }), 429);
    suppressed.takes(failure({ action: 'shares:open' }), 429);
    await suppressed.flush();
    expect(counts()).toEqual([
      ['192.0.2.1', 1],
      ['192.0.2.2', 1],
      ['192.0.2.1', 1],
    ]);
  });

  it('from one /64 are counted together: whoever has one address of it has them all', async () => {
    const from = (ip: string) => suppressed.takes(failure({ origin: { ip } }), 401);
    expect(['::1', '::2', '::3', '::4', ':a::5'].map((host) => from(`2001:db8:0:1${host}`))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(from('2001:db8:0:2::1')).toBe(false);
    await suppressed.flush();
    expect(counts()).toEqual([['2001:db8:0:1::4', 2]]);
  });

  it('through a share link are counted in the link’s organization', async () => {
    const organizationId = '00000000-0000-7000-8000-00000000000a';
    suppressed.takes(failure({ organizationId, actor: { kind: 'share_link', id: 'l' } }), 429);
    await suppressed.flush();
    expect(written[0]).toMatchObject({ organizationId, action: 'auth:suppressed-failures' });
  });

  it('keep the sum when there are more addresses than are told apart', async () => {
    for (let address = 0; address < 10_050; address++)
      suppressed.takes(failure({ origin: { ip: `2001:db8:${address.toString(16)}::1` } }), 429);
    await suppressed.flush();
    expect(counts().reduce((sum, [, count]) => sum + (count as number), 0)).toBe(10_050);
    expect(counts().at(-1)).toEqual([undefined, 50]);
  });

  it('are not lost when the ledger is away while they are written, nor counted meanwhile', async () => {
    suppressed.takes(failure(), 429);
    broken = true;
    const flushing = suppressed.flush();
    suppressed.takes(failure(), 429);
    await flushing;
    broken = false;
    await suppressed.flush();
    expect(counts()).toEqual([['192.0.2.1', 2]]);
  });

  it('are written by themselves each minute and at the end', async () => {
    jest.useFakeTimers();
    const own = new SuppressedFailures(
      { append: (entry: AuditEntry) => Promise.resolve(void written.push(entry)) } as never,
      3,
    );
    own.takes(failure(), 429);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(counts()).toEqual([['192.0.2.1', 1]]);
    own.takes(failure(), 429);
    await own.close();
    expect(counts()).toHaveLength(2);
    jest.useRealTimers();
  });
});

describe('refusals past the rate limit', () => {
  const client = { kind: 'client', id: 'c', label: 'Integration' } as const;
  const of = (changes: Partial<AuditEntry> = {}) =>
    failure({ organizationId: 'o', actor: client, action: 'exams:list', outcome: 'failure', ...changes });

  it('of who has a credential are counted per principal and route, in their organization', async () => {
    for (let time = 0; time < 10; time++) expect(suppressed.takes(of(), 429)).toBe(true);
    suppressed.takes(of({ action: 'exams:read' }), 429);
    suppressed.takes(of({ actor: { kind: 'api_key', id: 'k' } }), 429);
    await suppressed.flush();
    const counted = {
      organizationId: 'o',
      action: 'auth:suppressed-failures',
      outcome: 'denied',
      origin: { ip: '192.0.2.1' },
    };
    expect(written).toEqual([
      { ...counted, actor: client, detail: { route: 'exams:list', count: 10 } },
      { ...counted, actor: client, detail: { route: 'exams:read', count: 1 } },
      { ...counted, actor: { kind: 'api_key', id: 'k' }, detail: { route: 'exams:list', count: 1 } },
    ]);
    expect(suppressed.takes(of(), 403)).toBe(false);
  });

  it('are one event from wherever they come, which then names no address', async () => {
    for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.2']) suppressed.takes(of({ origin: { ip } }), 429);
    await suppressed.flush();
    expect(counts()).toEqual([[undefined, 3]]);
  });

  it('stay with their principal however many addresses strangers have', async () => {
    for (let address = 0; address < 10_050; address++)
      suppressed.takes(failure({ origin: { ip: `2001:db8:${address.toString(16)}::1` } }), 429);
    suppressed.takes(of(), 429);
    await suppressed.flush();
    expect(written.filter(({ organizationId }) => organizationId === 'o')).toEqual([
      expect.objectContaining({ actor: client, detail: { route: 'exams:list', count: 1 } }),
    ]);
  });
});

describe('what is never only counted', () => {
  it.each([
    ['a success', failure({ outcome: 'success' }), 200],
    ['a client that is denied', failure({ actor: { kind: 'client', id: 'c' }, organizationId: 'o' }), 403],
    [
      'a client that asks for what is not there',
      failure({ actor: { kind: 'client', id: 'c' }, organizationId: 'o', outcome: 'failure' }),
      404,
    ],
    [
      'an API key that is refused',
      failure({ actor: { kind: 'api_key', id: 'k' }, organizationId: 'o' }),
      403,
    ],
  ] as const)('%s', (_, entry, status) => {
    for (let time = 0; time < 10; time++) expect(suppressed.takes(entry, status)).toBe(false);
  });
});
