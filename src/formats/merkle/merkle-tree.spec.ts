import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leafHash, merkleProof, merkleRoot, rootByProof } from './merkle-tree.js';

const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const leavesOf = (entries: string[]) => entries.map((entry) => leafHash(Buffer.from(entry, 'hex')));

describe('a Merkle tree (RFC 6962)', () => {
  // Test vectors of the Certificate Transparency reference implementation (merkle_tree_test.cc).
  const entries = [
    '',
    '00',
    '10',
    '2021',
    '3031',
    '40414243',
    '5051525354555657',
    '606162636465666768696a6b6c6d6e6f',
  ];
  it.each([
    [0, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [1, '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
    [2, 'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'],
    [3, 'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77'],
    [4, 'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7'],
    [5, '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4'],
    [6, '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef'],
    [7, 'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c'],
    [8, '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328'],
  ])('of %d entries has the root of the reference', (size, root) => {
    expect(hex(merkleRoot(leavesOf(entries.slice(0, size))))).toBe(root);
  });

  it.each([0, 1, 4094, 4095, 4096, 10_000])('hashes an entry of %d bytes behind a zero', (length) => {
    const entry = randomBytes(length);
    expect(leafHash(entry)).toEqual(createHash('sha256').update(Buffer.of(0)).update(entry).digest());
  });

  const tree = fc
    .integer({ min: 1, max: 70 })
    .chain((size) => fc.tuple(fc.constant(size), fc.subarray(Array.from({ length: size }, (_, at) => at))));
  const made = (size: number) =>
    Array.from({ length: size }, (_, at) => leafHash(Buffer.from(`entry ${at}`)));

  it('is proved by any choice of its leaves, and by no other leaf', () => {
    fc.assert(
      fc.property(tree, ([size, chosen]) => {
        const leaves = made(size);
        const proof = merkleProof(leaves, chosen);
        const known = new Map(chosen.map((at) => [at, leaves[at]!]));
        expect(hex(rootByProof(size, known, proof))).toBe(hex(merkleRoot(leaves)));
        if (chosen.length === size) expect(proof).toEqual([]);
        for (const at of chosen) {
          const other = new Map(known).set(at, leafHash(Buffer.from('another')));
          expect(hex(rootByProof(size, other, proof))).not.toBe(hex(merkleRoot(leaves)));
        }
      }),
    );
  });

  it('takes no proof with a hash too many or too few', () => {
    const leaves = made(13);
    const known = new Map([[5, leaves[5]!]]);
    const proof = merkleProof(leaves, [5]);
    expect(rootByProof(13, known, proof.slice(1))).toBeUndefined();
    expect(rootByProof(13, known, [...proof, proof[0]!])).toBeUndefined();
  });

  it('with one leaf chosen has a proof as long as the tree is high', () => {
    expect(merkleProof(made(64), [17])).toHaveLength(6);
  });
});
