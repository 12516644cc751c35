import { beforeAll, describe, expect, it } from '@jest/globals';
import { subject } from '@casl/ability';
import { accessibleBy } from './accessible-by.js';
import { type AppAbility, compileAbility, roleRuleSchema } from './ability.js';
import { allOperations, defineOperations, operationNamed } from './operations.js';

beforeAll(() => {
  defineOperations({
    'spec:read': { subject: 'Exam', scope: 'exams:read', audited: 'response' },
    'spec:write': { subject: 'Exam', scope: 'exams:write', audited: 'transaction' },
    'spec:count': { subject: 'Organization', audited: 'response' },
    'spec:replace': { subject: 'Exam', audited: 'never', unconditional: true },
  });
});

const principal = {
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  organizationId: '01890a5d-ac96-774b-bcce-b302099a8058',
};
const can = (ability: AppAbility, operation: string, on: 'Exam' | 'Organization' = 'Exam') =>
  ability.can(operation, on);
const rowsOf = (ability: AppAbility, operation: string): unknown =>
  accessibleBy({ ability, scopes: ['exams:read'] }, operation).ofType('Exam');

describe('an ability', () => {
  it('without rules allows nothing', () => {
    const ability = compileAbility([], principal);
    for (const { name, subject: on } of allOperations()) expect(ability.can(name, on)).toBe(false);
  });

  it('allows the operations a rule names, on their subject, and no others', () => {
    const ability = compileAbility([{ operations: ['spec:read'], subject: 'Exam' }], principal);
    expect([
      can(ability, 'spec:read'),
      can(ability, 'spec:write'),
      can(ability, 'spec:count', 'Organization'),
    ]).toEqual([true, false, false]);
    expect(rowsOf(ability, 'spec:read')).toEqual({});
  });

  it('reads * as all that is defined, of a subject or of all', () => {
    const exams = compileAbility([{ operations: ['*'], subject: 'Exam' }], principal);
    expect([can(exams, 'spec:write'), can(exams, 'spec:count', 'Organization')]).toEqual([true, false]);
    const all = compileAbility([{ operations: ['*'], subject: '*' }], principal);
    expect([can(all, 'spec:write'), can(all, 'spec:count', 'Organization')]).toEqual([true, true]);
    expect([can(all, 'spec:unknown'), can(all, 'manage'), can(all, '*')]).toEqual([false, false, false]);
  });

  it('is no larger for what is granted more than once, and allows no less', () => {
    const read = { operations: ['spec:read'], subject: 'Exam' };
    const own = { ...read, conditions: { createdById: '${principal.id}' } };
    const rest = { operations: ['spec:write', 'spec:write'], subject: 'Exam' };
    const rulesOf = (...rules: (typeof read)[]) => compileAbility(rules, principal).rules;
    expect(rulesOf(own, read, own, read, rest)).toEqual(rulesOf(read, rest));
    expect(rulesOf(own, own)).toEqual(rulesOf(own));
    const other = { ...read, conditions: { createdById: principal.organizationId } };
    expect(rulesOf(own, other, own)).toHaveLength(2);
    const everything = { operations: ['*'], subject: '*' };
    const many = Array.from({ length: 1_000 }, () => everything);
    expect(rulesOf(...many)).toEqual(rulesOf(everything));
  });

  it('leaves out what no policy defines, and an operation under another subject', () => {
    for (const rule of [
      { operations: ['spec:unknown'], subject: 'Exam' },
      { operations: ['manage'], subject: 'all' },
      { operations: ['spec:read'], subject: 'Organization' },
      { operations: ['spec:*'], subject: 'Exam' },
      { operations: ['__proto__', 'constructor'], subject: '*' },
    ]) {
      const ability = compileAbility([rule], principal);
      expect(ability.rules).toEqual([]);
    }
  });

  it('keeps conditions, with the principal where it is meant, at any depth', () => {
    const conditions = {
      OR: [{ createdById: '${principal.id}' }, { AND: [{ name: { in: ['${principal.id}', 'b'] } }] }],
    };
    const ability = compileAbility([{ operations: ['spec:read'], subject: 'Exam', conditions }], principal);
    expect(rowsOf(ability, 'spec:read')).toEqual({
      OR: [{ OR: [{ createdById: principal.id }, { AND: [{ name: { in: [principal.id, 'b'] } }] }] }],
    });
    expect(conditions.OR[0]).toEqual({ createdById: '${principal.id}' }); // the role's rule is not changed
  });

  it('takes only the placeholder there is, whole, for one', () => {
    const literal = {
      createdById: 'x${principal.id}',
      name: '${principal.organizationId}',
      reason: '${process.env}',
    };
    const ability = compileAbility(
      [{ operations: ['spec:read'], subject: 'Exam', conditions: literal }],
      principal,
    );
    expect(rowsOf(ability, 'spec:read')).toEqual({ OR: [literal] });
  });

  it('grants what is decided before there is a row by rules without conditions or limits only', () => {
    const replace = { operations: ['spec:replace'], subject: 'Exam' };
    const limit = { type: 'Exam', id: principal.id } as const;
    const conditions = { createdById: '${principal.id}' };
    expect(can(compileAbility([replace], principal), 'spec:replace')).toBe(true);
    for (const rule of [
      { ...replace, limit },
      { ...replace, conditions },
      { ...replace, operations: ['*'], conditions },
    ])
      expect(can(compileAbility([rule], principal), 'spec:replace')).toBe(false);
  });

  it('decides on a row by its conditions', () => {
    const ability = compileAbility(
      [{ operations: ['spec:read'], subject: 'Exam', conditions: { createdById: '${principal.id}' } }],
      principal,
    );
    const exam = (createdById: string) => subject('Exam', { createdById } as never);
    expect(ability.can('spec:read', exam(principal.id))).toBe(true);
    expect(ability.can('spec:read', exam('other'))).toBe(false);
  });

  it('adds up over roles: the widest counts', () => {
    const ability = compileAbility(
      [
        { operations: ['spec:read'], subject: 'Exam', conditions: { createdById: '${principal.id}' } },
        { operations: ['spec:read'], subject: 'Exam' },
      ],
      principal,
    );
    expect(rowsOf(ability, 'spec:read')).toEqual({});
  });

  it('without the scope makes a condition no row meets', () => {
    const ability = compileAbility([{ operations: ['*'], subject: '*' }], principal);
    expect(rowsOf(ability, 'spec:read')).toEqual({});
    expect(rowsOf(ability, 'spec:write')).toEqual({ id: { in: [] } });
  });

  it('without the operation makes a condition no row meets', () => {
    expect(rowsOf(compileAbility([], principal), 'spec:read')).toEqual({ id: { in: [] } }); // within AND too
  });
});

describe('a stored rule', () => {
  it.each([
    [{ operations: [], subject: 'Exam' }],
    [{ operations: 'spec:read', subject: 'Exam' }],
    [{ operations: ['spec:read'] }],
    [{ operations: ['spec:read'], subject: 'Exam', inverted: true }],
    [{ operations: ['spec:read'], subject: 'Exam', conditions: 'true' }],
  ])('%j is refused', (rule) => {
    expect(roleRuleSchema.safeParse(rule).success).toBe(false);
  });
});

describe('an operation', () => {
  it('is defined once', () => {
    expect(() => defineOperations({ 'spec:read': { subject: 'Exam', audited: 'never' } })).toThrow(
      'defined twice',
    );
    expect(() => operationNamed('spec:none')).toThrow('No policy defines');
    expect(operationNamed('spec:read')).toMatchObject({ name: 'spec:read', scope: 'exams:read' });
  });
});
