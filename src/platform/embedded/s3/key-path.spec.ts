import { sep } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeName, entryName, fromBinary, objectPath, prefixDirectory, toBinary } from './key-path.js';

/** Reads an object's path back as its key. */
function keyOf(path: string): string {
  return fromBinary(
    path
      .split(sep)
      .map((name) => decodeName(name)!.part)
      .join(''),
  );
}

const anyKey = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
  fc.string({
    unit: fc.constantFrom('a', 'A', '/', '.', '%', '~', 'é', ' ', '\u0000'),
    minLength: 1,
    maxLength: 300,
  }),
);

describe('key paths', () => {
  it('keep keys apart and read back (any key)', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        expect(keyOf(objectPath(toBinary(key)))).toBe(key);
      }),
    );
  });

  it('use only safe names of at most 255 bytes, also on file systems that fold case', () => {
    fc.assert(
      fc.property(anyKey, (key) => {
        for (const name of objectPath(toBinary(key)).split(sep)) {
          expect(name).toMatch(/^[odc]~[a-z0-9_.%-]*$/);
          expect(name).not.toMatch(/\.$/);
          expect(name.length).toBeLessThanOrEqual(255);
        }
      }),
    );
  });

  it('never escape, and let a key live beside its own prefix', () => {
    expect(objectPath('../../etc')).toBe(['d~.%2e', 'd~.%2e', 'o~etc'].join(sep));
    expect(objectPath('a')).toBe('o~a');
    expect(objectPath('a/b')).toBe(['d~a', 'o~b'].join(sep));
    expect(objectPath('a/')).toBe(['d~a', 'o~'].join(sep));
    expect(objectPath('/')).toBe(['d~', 'o~'].join(sep));
    expect(objectPath('A')).toBe('o~%41');
  });

  it('stay below the path limit of Linux for the worst keys', () => {
    for (const unit of ['/', '%', '%/', 'é/', '.']) {
      const key = toBinary(unit.repeat(1024)).slice(0, 1024);
      expect(objectPath(key).length).toBeLessThan(3300);
    }
  });

  it('put everything below a prefix into one directory', () => {
    expect(prefixDirectory('staging/org/x')).toEqual({
      path: ['d~staging', 'd~org'].join(sep),
      base: 'staging/org/',
    });
    expect(prefixDirectory('staging')).toEqual({ path: '', base: '' });
    fc.assert(
      fc.property(anyKey, fc.nat(), (key, at) => {
        const binary = toBinary(key);
        const { path, base } = prefixDirectory(binary.slice(0, at % (binary.length + 1)));
        expect(binary.startsWith(base)).toBe(true);
        expect(objectPath(binary).startsWith(path)).toBe(true);
      }),
    );
  });

  it('give names back, and ignore foreign files', () => {
    for (const entry of [
      { kind: 'o', part: 'x%y' },
      { kind: 'd', part: 'x/' },
      { kind: 'c', part: 'x'.repeat(80) },
    ] as const) {
      expect(decodeName(entryName(entry))).toEqual(entry);
    }
    expect(decodeName('.DS_Store')).toBeUndefined();
    expect(decodeName('o~%zz')).toBeUndefined();
  });
});
