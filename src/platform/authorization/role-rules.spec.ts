import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineOperations } from './operations.js';
import { customRulesSchema } from './role-rules.js';
import { defineSubject } from './subjects.js';

beforeAll(() => {
  defineOperations({
    'rules:read': { subject: 'Result', scope: 'results:read', audited: 'response' },
    'rules:list': { subject: 'Study', audited: 'response' },
    'rules:purge': { subject: 'Result', audited: 'transaction', platform: true },
  });
  defineSubject('Result', {
    conditions: { deliveredById: 'principal', isFinal: 'boolean', order: { createdById: 'principal' } },
  });
});

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const rule = (given: object) => ({ operations: ['rules:read'], subject: 'Result', ...given });
const mistakes = (...rules: unknown[]): string[] => {
  const { error } = customRulesSchema.safeParse(rules);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
};

describe('the rules of a custom role', () => {
  it.each<[string, object]>([
    ['an operation on its subject', {}],
    ['an operation on whatever its subject is', { subject: '*' }],
    ['every operation on a subject', { operations: ['*'] }],
    ['everything', { operations: ['*'], subject: '*' }],
    ['rows of the caller', { conditions: { deliveredById: '${principal.id}' } }],
    ['rows of somebody', { conditions: { deliveredById: ID, isFinal: true } }],
    ['rows by what they hang on', { conditions: { order: { createdById: '${principal.id}' } } }],
  ])('may allow %s', (_, given) => {
    expect(mistakes(rule(given))).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['an unknown subject', { subject: 'Nothing' }, '0.subject: is not a subject of any operation'],
    ['an unknown operation', { operations: ['rules:invent'] }, '0.operations.0: is not an operation'],
    ['an operation of the platform', { operations: ['rules:purge'] }, '0.operations.0: is not an operation'],
    [
      'an operation on another subject',
      { operations: ['rules:read', 'rules:list'] },
      '0.operations.1: is an operation on Study',
    ],
    [
      'conditions on everything',
      { subject: '*', conditions: { deliveredById: ID } },
      '0.conditions: * has no conditions',
    ],
    [
      'conditions where there are none',
      { operations: ['rules:list'], subject: 'Study', conditions: { a: 1 } },
      '0.conditions: Study has no conditions',
    ],
    ['no condition', { conditions: {} }, '0.conditions: must ask for something, or be left out'],
    [
      'another column',
      { conditions: { organizationId: ID } },
      '0.conditions.organizationId: may not be asked of; only deliveredById, isFinal, order',
    ],
    [
      'a property of every object',
      { conditions: { constructor: ID } },
      '0.conditions.constructor: may not be asked of; only deliveredById, isFinal, order',
    ],
    [
      'an operator',
      { conditions: { deliveredById: { not: ID } } },
      '0.conditions.deliveredById: must be ${principal.id} or an id',
    ],
    [
      'a logical operator',
      { conditions: { OR: [{}] } },
      '0.conditions.OR: may not be asked of; only deliveredById, isFinal, order',
    ],
    ['words for true', { conditions: { isFinal: 'yes' } }, '0.conditions.isFinal: must be true or false'],
    ['a list for an object', { conditions: { order: [] } }, '0.conditions.order: must be an object'],
    [
      'a relation of which nothing is asked',
      { conditions: { order: {} } },
      '0.conditions.order: must ask for something',
    ],
    [
      'another column of a relation',
      { conditions: { order: { id: ID } } },
      '0.conditions.order.id: may not be asked of; only createdById',
    ],
  ])('may not have %s', (_, given, mistake) => {
    expect(mistakes(rule(given))).toEqual([mistake]);
  });

  it('have ids in lower case, wherever they stand, and the placeholder as it is', () => {
    const conditions = {
      deliveredById: '${principal.id}',
      isFinal: true,
      order: { createdById: ID.toUpperCase() },
    };
    expect(customRulesSchema.parse([rule({ conditions }), rule({})])).toEqual([
      rule({ conditions: { ...conditions, order: { createdById: ID } } }),
      rule({}),
    ]);
  });

  it('have no other members, none without operations, and not too many', () => {
    expect(mistakes(rule({ inverted: true }))).toHaveLength(1);
    expect(mistakes(rule({ operations: [] }))).toHaveLength(1);
    expect(mistakes(...Array.from({ length: 201 }, () => rule({})))).toHaveLength(1);
  });
});
