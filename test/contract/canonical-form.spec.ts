import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalForm } from '../../src/modules/audit/audit.canonical.js';
import type { AuditEntry, AuditRecord, DetailValue } from '../../src/modules/audit/audit.events.js';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { DatabaseService } from '../../src/platform/database/database.service.js';
import { newId } from '../../src/platform/database/id.js';
import { createWorld, type Tenant, type World } from '../support/world.js';

let world: World;
let tenant: Tenant;

beforeAll(async () => {
  world = await createWorld();
  tenant = await world.newTenant();
});
afterAll(() => world.close());

describe('the canonical form', () => {
  const record: AuditRecord = {
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    occurredAt: new Date('2026-01-02T03:04:05.006Z'),
    organizationId: '01890a5d-ac96-774b-bcce-b302099a8058',
    actorKind: 'client',
    actorId: 'c',
    actorLabel: 'Röntgen "A"\n\u20ac',
    action: 'exams:create',
    outcome: 'success',
    resourceType: 'Exam',
    resourceId: 'e',
    patientRef: '01890a5d-ac96-774b-bcce-b302099a8059',
    studyRef: '01890a5d-ac96-774b-bcce-b302099a805a',
    requestId: 'r',
    traceId: 't',
    ip: '::1',
    userAgent: 'a/1',
    scopes: ['exams:write', 'exams:read'],
    detail: { z: 1, a: [true, null, 'x'], é: { b: -0, aa: 1e21 }, '\u{1f600}': 1, '\ufb33': 2 },
  };

  it('is this, letter for letter, for ever', () => {
    expect(canonicalForm(record)).toBe(
      '{"action":"exams:create","actor":{"id":"c","kind":"client","label":"Röntgen \\"A\\"\\n€"},"agent":"a/1",' +
        '"detail":{"a":[true,null,"x"],"z":1,"é":{"aa":1e+21,"b":0},"😀":1,"\ufb33":2},' +
        '"id":"01890a5d-ac96-774b-bcce-b302099a8057","ip":"::1","organization":"01890a5d-ac96-774b-bcce-b302099a8058",' +
        '"outcome":"success","patient":"01890a5d-ac96-774b-bcce-b302099a8059","request":"r","resource":{"id":"e","type":"Exam"},' +
        '"scopes":["exams:write","exams:read"],"study":"01890a5d-ac96-774b-bcce-b302099a805a","time":"2026-01-02T03:04:05.006Z","trace":"t","v":1}',
    );
  });

  it('has every member also when there is nothing to say', () => {
    const bare: AuditRecord = {
      ...record,
      actorId: null,
      actorLabel: null,
      resourceType: null,
      resourceId: null,
      patientRef: null,
      studyRef: null,
      requestId: null,
      traceId: null,
      ip: null,
      userAgent: null,
      scopes: [],
      detail: {},
    };
    expect(canonicalForm(bare)).toBe(
      '{"action":"exams:create","actor":{"id":null,"kind":"client","label":null},"agent":null,"detail":{},' +
        '"id":"01890a5d-ac96-774b-bcce-b302099a8057","ip":null,"organization":"01890a5d-ac96-774b-bcce-b302099a8058",' +
        '"outcome":"success","patient":null,"request":null,"resource":{"id":null,"type":null},"scopes":[],"study":null,' +
        '"time":"2026-01-02T03:04:05.006Z","trace":null,"v":1}',
    );
  });

  it('is the same after Postgres has kept the event', async () => {
    const database = world.api.app.get(DatabaseService, { strict: false });
    const audit = world.api.app.get(AuditService, { strict: false });
    // What an event may hold: text without NUL and lone surrogates, integers, no other numbers.
    const text = fc
      .string({ unit: 'binary', maxLength: 12 })
      .map((value) => Buffer.from(value.replaceAll('\u0000', '')).toString());
    const detail = fc.letrec<{ value: DetailValue; object: Record<string, DetailValue> }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        text,
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        tie('object'),
      ),
      object: fc.dictionary(
        text.filter((key) => key !== '__proto__'),
        tie('value'),
        { maxKeys: 4, noNullPrototype: true },
      ),
    })).object;
    const entries = fc.record({
      detail,
      label: text,
      userAgent: text,
      scopes: fc.array(text, { maxLength: 3 }),
      time: fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(entries, { minLength: 1, maxLength: 6 }), async (given) => {
        const requestId = newId();
        const events = given.map<AuditEntry>(({ detail, label, userAgent, scopes }) => ({
          organizationId: tenant.organizationId,
          actor: { kind: 'client', id: 'x', label },
          action: 'test:property',
          outcome: 'success',
          origin: { requestId, userAgent },
          scopes,
          detail,
        }));
        // The form of what is written, as the service makes it, beside the form of what is read.
        const written = events.map((entry) =>
          canonicalForm((audit as unknown as { toRecord(entry: AuditEntry): AuditRecord }).toRecord(entry)),
        );
        const read = await database.withOrganization(tenant.organizationId, async (tx) => {
          await audit.record(tx, ...events);
          return tx.auditEvent.findMany({ where: { requestId }, orderBy: { id: 'asc' } });
        });
        const strip = (form: string) =>
          form.replace(/"id":"[0-9a-f-]{36}","ip"/, '"ip"').replace(/"time":"[^"]*"/, '');
        expect(read.map((row) => strip(canonicalForm(row as unknown as AuditRecord)))).toEqual(
          written.map(strip),
        );
        for (const row of read) {
          expect(row.id).toMatch(/^[0-9a-f-]{36}$/);
          expect(canonicalForm(row as unknown as AuditRecord)).toContain(
            `"time":"${row.occurredAt.toISOString()}"`,
          );
        }
      }),
      { numRuns: 60 },
    );
  });
});
