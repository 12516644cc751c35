import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  entryForm,
  hashOf,
  headForm,
  NOTHING_BEFORE,
  rootOver,
  type SealHead,
  type SealKey,
  type Signed,
  signForm,
  type TreeEntry,
} from '../seal.js';
import type { SealedEntry } from '../seal.rows.js';
import { LedgerRewritten, nextHead, type Sealed } from './next-head.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const KEY: SealKey = { kid: 'ours', privateKey };
const KEYS = new Map([['ours', publicKey]]);
const TIME = new Date('2026-12-01T00:00:00Z');
const [ONE, TWO] = ['01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000002'];

/** A tree of seal 2 that follows from nothing, but for what is given. */
function treeOf(given: Partial<TreeEntry>, key = KEY): SealedEntry {
  const tree = {
    organization: ONE,
    seal: 2,
    time: TIME,
    first: 1,
    size: 3,
    root: NOTHING_BEFORE,
    previous: NOTHING_BEFORE,
    ...given,
  };
  const form = entryForm(tree);
  return { ...tree, ...signForm(key, form), entry: hashOf(form) };
}

function headOver(trees: SealedEntry[]): SealHead & Signed {
  const head = { seal: 1, time: TIME, previous: NOTHING_BEFORE, root: rootOver(trees) };
  return { ...head, ...signForm(KEY, headForm(head)) };
}

describe('what the next head is over', () => {
  let older: SealedEntry;
  let newer: SealedEntry;
  let sealed: Sealed;
  beforeEach(() => {
    older = treeOf({ seal: 1 });
    newer = treeOf({ first: 4, previous: older.entry });
    sealed = { last: headOver([older]), before: [older], followed: [older], made: [newer] };
  });
  const refused = (changed: Partial<Sealed>) =>
    expect(() => nextHead(KEYS, { ...sealed, ...changed })).toThrow(LedgerRewritten);

  it('is the end of each chain of trees that we have signed', () => {
    const newest = treeOf({ first: 7, previous: newer.entry });
    const first = treeOf({ organization: TWO });
    expect(nextHead(KEYS, { ...sealed, made: [newer, newest, first] })).toEqual({
      seal: 2,
      previous: hashOf(headForm(sealed.last!)),
      root: rootOver([newest, first]),
    });
    const beginning = treeOf({ seal: 1 });
    const none = { last: undefined, before: [], followed: [] };
    expect(nextHead(KEYS, { ...none, made: [beginning] })).toMatchObject({ seal: 1 });
  });

  it('is no tree that another has signed, or that was changed since', () => {
    const stranger = { kid: 'ours', privateKey: generateKeyPairSync('ed25519').privateKey };
    refused({ made: [treeOf({ first: 4, previous: older.entry }, stranger)] });
    refused({ made: [{ ...newer, kid: 'another' }] });
    for (const changed of [
      { organization: TWO },
      { seal: 3 },
      { time: new Date(0) },
      { first: 5 },
      { size: 4 },
      { root: older.entry },
      { previous: newer.entry },
    ])
      refused({ made: [{ ...newer, ...changed }] });
  });

  it('is no tree that is said to be another one', () => {
    refused({ made: [{ ...newer, entry: older.entry }] });
  });

  it('is no tree that was signed for another seal', () => {
    refused({ made: [treeOf({ seal: 1, first: 4, previous: older.entry })] });
    refused({ made: [treeOf({ seal: 3, first: 4, previous: older.entry })] });
  });

  it('is no tree behind a gap, or over positions that are taken', () => {
    for (const first of [3, 5]) refused({ made: [treeOf({ first, previous: older.entry })] });
    for (const first of [6, 8]) refused({ made: [newer, treeOf({ first, previous: newer.entry })] });
    refused({ made: [newer, treeOf({ organization: TWO, first: 2 })] });
  });

  it('takes where a chain went on from no row that is not the one of the head', () => {
    const other = treeOf({ seal: 1, size: 4 });
    refused({ followed: [other], made: [treeOf({ first: 5, previous: older.entry })] });
    refused({ followed: [] });
  });
});
