import { describe, expect, it } from '@jest/globals';
import { ListObjectsV2Command, type ListObjectsV2CommandInput, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Session } from './s3-target.js';

/** ListObjectsV2: order, pages, delimiters. */
export function describeListing(session: () => Session): void {
  // In order of their UTF-8 bytes: U+FF5E sorts before an emoji, which UTF-16 order gets wrong.
  const keys = [
    'l/!',
    'l/0',
    'l/a',
    'l/a!',
    'l/a/1',
    'l/a/2',
    'l/a/b/3',
    'l/a0',
    'l/b/1',
    'l/ü',
    'l/\uFF5E',
    'l/\u{1F9E0}',
  ];

  async function all(
    input: Omit<ListObjectsV2CommandInput, 'Bucket'>,
  ): Promise<{ pages: string[][]; names: string[] }> {
    const pages: string[][] = [];
    for (let ContinuationToken: string | undefined; ;) {
      const page = await session().client.send(
        new ListObjectsV2Command({ Bucket: session().bucket, ...input, ContinuationToken }),
      );
      const names = [
        ...(page.Contents ?? []).map((one) => one.Key ?? ''),
        ...(page.CommonPrefixes ?? []).map((one) => one.Prefix ?? ''),
      ];
      expect(page.KeyCount).toBe(names.length);
      pages.push(names);
      if (!page.IsTruncated) break;
      ContinuationToken = page.NextContinuationToken;
    }
    return { pages, names: pages.flat() };
  }

  describe('listing', () => {
    it('is in order of bytes, whatever the page size', async () => {
      for (const Key of [...keys].reverse()) {
        await session().client.send(new PutObjectCommand({ Bucket: session().bucket, Key, Body: Key }));
      }
      for (const MaxKeys of [1, 2, 5, 1000]) {
        const { names, pages } = await all({ Prefix: 'l/', MaxKeys });
        expect(names).toEqual(keys);
        for (const page of pages) expect(page.length).toBeLessThanOrEqual(MaxKeys);
      }
    });

    it('groups by a delimiter', async () => {
      for (const MaxKeys of [1, 3, 1000]) {
        const { names } = await all({ Prefix: 'l/', Delimiter: '/', MaxKeys });
        expect(names.sort()).toEqual(
          [...new Set(keys.map((key) => key.replace(/^(l\/[^/]*\/).*$/, '$1')))].sort(),
        );
      }
      expect((await all({ Prefix: 'l/a/', Delimiter: '/' })).names).toEqual(['l/a/1', 'l/a/2', 'l/a/b/']);
      expect((await all({ Prefix: 'l/a', Delimiter: 'b' })).names).toEqual([
        'l/a',
        'l/a!',
        'l/a/1',
        'l/a/2',
        'l/a0',
        'l/a/b',
      ]);
    });

    it('starts after a key, and finds prefixes within names', async () => {
      expect((await all({ Prefix: 'l/', StartAfter: 'l/a/2' })).names).toEqual(keys.slice(6));
      expect((await all({ Prefix: 'l/', StartAfter: 'l/a/2x' })).names).toEqual(keys.slice(6));
      expect((await all({ Prefix: 'l/a' })).names).toEqual(keys.filter((key) => key.startsWith('l/a')));
      expect((await all({ Prefix: 'l/zzz' })).names).toEqual([]);
      expect((await all({ Prefix: 'l/', EncodingType: 'url' })).names.map(decodeURIComponent)).toEqual(keys);
    });
  });
}
