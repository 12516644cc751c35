import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileAbility, type GrantedRule } from '../../platform/authorization/ability.js';
import { defineOperations } from '../../platform/authorization/operations.js';
import { addedRules, firstNotHeld } from './granting.js';

defineOperations({
  'granting:read': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
  'granting:write': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
  'granting:look': { subject: 'Order', scope: 'orders:read', audited: 'response' },
});

const SCOPES = ['exams:read', 'exams:write', 'orders:read'];
const own = { createdById: '${principal.id}' };
const limit = { type: 'Exam', id: '01890a5d-ac96-774b-bcce-b302099a8057' } as const;
const read: GrantedRule = { operations: ['granting:read'], subject: 'Exam' };
const notHeld = (held: GrantedRule[], granted: GrantedRule, scopes = SCOPES) =>
  firstNotHeld(held, scopes, [granted]);

describe('what is granted', () => {
  it.each<[string, GrantedRule[], GrantedRule]>([
    ['the same rule', [read], read],
    ['everything', [{ operations: ['*'], subject: '*' }], read],
    [
      'everything, to grant everything',
      [{ operations: ['*'], subject: '*' }],
      { operations: ['*'], subject: '*' },
    ],
    [
      'all operations of the subject',
      [{ operations: ['*'], subject: 'Exam' }],
      { ...read, conditions: own, limit },
    ],
    ['the operation whatever its subject', [{ operations: ['granting:read'], subject: '*' }], read],
    ['the rule without conditions', [read], { ...read, conditions: own }],
    ['the rule without a limit', [read], { ...read, limit }],
    ['the same conditions', [{ ...read, conditions: own }], { ...read, conditions: own }],
    ['the same limit', [{ ...read, limit }], { ...read, limit: { ...limit } }],
    [
      'its operations in several rules',
      [read, { operations: ['granting:write'], subject: 'Exam' }],
      { operations: ['granting:read', 'granting:write'], subject: 'Exam' },
    ],
  ])('is held by who has %s', (_, held, granted) => {
    expect(notHeld(held, granted)).toBeUndefined();
  });

  it.each<[string, GrantedRule[], GrantedRule]>([
    ['nothing', [], read],
    ['another operation', [{ operations: ['granting:write'], subject: 'Exam' }], read],
    ['another subject', [{ operations: ['*'], subject: 'Order' }], read],
    [
      'each operation there is, but not those to come',
      [{ operations: ['granting:read', 'granting:write'], subject: 'Exam' }],
      { operations: ['*'], subject: 'Exam' },
    ],
    ['conditions', [{ ...read, conditions: own }], read],
    ['other conditions', [{ ...read, conditions: { createdById: limit.id } }], { ...read, conditions: own }],
    ['a limit', [{ ...read, limit }], read],
    [
      'another limit',
      [{ ...read, limit: { ...limit, id: '01890a5d-ac96-774b-bcce-b302099a8058' } }],
      { ...read, limit },
    ],
  ])('is not held by who has %s', (_, held, granted) => {
    expect(notHeld(held, granted)).toMatch(/^(\*|granting:\w+) on (\w+|\*)/);
  });

  it('is not held with a token that has not the scope', () => {
    const everything: GrantedRule = { operations: ['*'], subject: 'Exam' };
    expect(notHeld([everything], everything, ['exams:read'])).toBe(
      'granting:write without the scope exams:write',
    );
    expect(notHeld([everything], read, ['exams:read'])).toBeUndefined();
  });

  it('never allows whoever gets it what whoever gives it may not do', () => {
    const rule = fc.record(
      {
        operations: fc.uniqueArray(fc.constantFrom('*', 'granting:read', 'granting:write', 'granting:look'), {
          minLength: 1,
        }),
        subject: fc.constantFrom('*', 'Exam', 'Order'),
        conditions: fc.constantFrom(own, { createdById: limit.id }),
      },
      { requiredKeys: ['operations', 'subject'] },
    ) as fc.Arbitrary<GrantedRule>;
    const somebody = { id: limit.id, organizationId: limit.id };
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 4 }), rule, (held, granted) => {
        if (notHeld(held, granted) !== undefined) return;
        const [giver, taker] = [compileAbility(held, somebody), compileAbility([granted], somebody)];
        for (const [operation, subject] of [
          ['granting:read', 'Exam'],
          ['granting:write', 'Exam'],
          ['granting:look', 'Order'],
        ] as const)
          for (const { conditions } of taker.rulesFor(operation, subject))
            expect(
              giver
                .rulesFor(operation, subject)
                .some(
                  (own) => !own.conditions || JSON.stringify(own.conditions) === JSON.stringify(conditions),
                ),
            ).toBe(true);
      }),
    );
  });
});

describe('an edited role', () => {
  it('gives what it did not have before', () => {
    const write = { operations: ['granting:write'], subject: 'Exam' };
    expect(addedRules([read], [read, write])).toEqual([write]);
    expect(addedRules([read, write], [{ ...read }])).toEqual([]);
    expect(addedRules([{ ...read, conditions: own }], [read])).toEqual([read]);
  });
});
