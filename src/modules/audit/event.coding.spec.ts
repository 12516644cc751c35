import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codingOf, outcomeCode } from './event.coding.js';

const brief = (action: string) => {
  const { event, type, action: code } = codingOf(action);
  return [event.code, type?.code, code];
};

describe('the codes of an action', () => {
  it.each([
    ['tokens:issue', '110114', '110122', 'E'],
    ['sessions:end', '110114', '110123', 'E'],
    ['auth:suppressed-failures', '110113', '110126', 'E'],
    ['users:disable', '110113', '110137', 'E'],
    ['roles:delete', '110113', '110136', 'E'],
    ['exams:share', '110113', '110135', 'E'],
    ['identity-providers:create', '110113', '110129', 'E'],
    ['users:list', '110112', undefined, 'E'],
    ['studies:list', '110112', undefined, 'E'],
    ['studies:read', '110103', undefined, 'R'],
    ['studies:close', '110103', undefined, 'U'],
    ['studies:delete', '110105', undefined, 'D'],
    ['uploads:issue', '110102', undefined, 'E'],
    ['uploads:land', '110104', undefined, 'C'],
    ['uploads:reject', '110103', undefined, 'D'],
    ['uploads:download', '110106', undefined, 'R'],
    ['files:upload', '110107', undefined, 'C'],
    ['files:rename', '110110', undefined, 'U'],
    ['orders:create', '110109', undefined, 'C'],
    ['results:read', '110111', undefined, 'R'],
    ['audit:list-events', '110101', undefined, 'R'],
    ['audit:create-export', '110101', undefined, 'R'],
    ['audit:place-hold', '110113', '110129', 'E'],
    ['audit:release-hold', '110113', '110129', 'E'],
    ['audit:retired', '110113', '110129', 'E'],
    ['audit:dropped', '110113', '110129', 'E'],
    ['audit:missing-event', '110113', '110132', 'E'],
    ['audit:list-holds', '110101', undefined, 'R'],
    ['audit:read-hold', '110101', undefined, 'R'],
    ['nobody:knows', '110100', undefined, 'E'],
    ['constructor:toString', '110100', undefined, 'E'],
  ])('%s', (action, event, type, code) => expect(brief(action)).toEqual([event, type, code]));

  it('are there for whatever there is', () => {
    fc.assert(
      fc.property(fc.string(), (action) => {
        expect(brief(action)[0]).toMatch(/^1101(0\d|1[0-4])$/);
      }),
    );
  });

  it('tell success, denial and failure apart', () =>
    expect(['success', 'denied', 'failure', 'else'].map(outcomeCode)).toEqual(['0', '4', '8', '8']));
});
