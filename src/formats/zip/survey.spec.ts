import { gzipSync } from 'node:zlib';

import { describe, expect, it } from '@jest/globals';

import { identity, pixels } from '../dicom/dicom.fixture.js';
import { elementsFrom, writeDicom } from '../dicom/write.js';
import { diffusion, writeNifti } from '../nifti/nifti.fixture.js';
import { openZip, type OpenZipOptions, type ZipArchive } from './archive.js';
import type { ContentsVerdict } from './contents.js';
import { bytesSource } from './range-source.js';
import { type EntryRole, type StoreEntry, surveyArchive } from './survey.js';
import { collect, writeZip, type ZipFixtureEntry } from './zip.fixture.js';

function instance(number: number, study = '2.25.12'): Buffer {
  const own = elementsFrom({ SOPInstanceUID: `2.25.11.${number}`, StudyInstanceUID: study });
  const elements = [...identity.filter(({ tag }) => !own.some((one) => one.tag === tag)), ...own, pixels];
  return Buffer.from(writeDicom({ elements }));
}

async function opened(entries: readonly ZipFixtureEntry[], options?: OpenZipOptions): Promise<ZipArchive> {
  const result = await openZip(bytesSource(writeZip(entries)), options);
  if (!result.ok) throw new Error(result.rule);
  return result.archive;
}

async function survey(
  entries: readonly ZipFixtureEntry[],
  store?: StoreEntry,
  options?: OpenZipOptions,
): Promise<ContentsVerdict> {
  return surveyArchive(await opened(entries, options), store);
}

const one: ZipFixtureEntry = { name: 'IM/1', data: instance(1) };
const two: ZipFixtureEntry = { name: 'IM/2.dcm', data: instance(2) };
const nii: ZipFixtureEntry = { name: 'dwi.nii', data: diffusion.nii };
const bval: ZipFixtureEntry = { name: 'dwi.bval', data: diffusion.bval };
const bvec: ZipFixtureEntry = { name: 'dwi.bvec', data: diffusion.bvec };
const readme: ZipFixtureEntry = { name: 'README.txt', data: 'to be read' };
const viewer: ZipFixtureEntry = { name: 'viewer.zip', data: writeZip([readme]) };

describe('an archive with one DICOM study', () => {
  const extras: readonly ZipFixtureEntry[] = [
    { name: 'IM/', method: 0 },
    { name: '__MACOSX/IM/._2.dcm', data: 'AppleDouble' },
    { name: '.DS_Store', data: 'Bud1' },
    { name: 'IM/Icon\r', data: '' },
    { name: '__MACOSX/IM/._Icon\r', data: 'AppleDouble', flags: 0 },
    { name: 'Icon\r', data: '', flags: 0 },
    { name: 'DICOMDIR', data: 'whatever it says' },
    readme,
    viewer,
    { name: 'tool', data: Buffer.from('7z\xbc\xaf\x27\x1c', 'latin1') },
    { name: 'VIEWER.EXE', data: 'MZ' },
    { name: 'empty', data: '' },
    { name: 'dwi.bvec', data: diffusion.bvec },
    { name: 'other/metadata.json', data: '{"not":"at the root"}' },
  ];

  it('names its instances, and lists what it skipped', async () => {
    const verdict = await survey([...extras, one, two, { name: 'metadata.json', data: '{"a":1}' }]);
    if (!verdict.ok) throw new Error(`refused: ${verdict.rule} at ${verdict.where}`);
    const { contents } = verdict;
    if (contents.kind !== 'dicom') throw new Error(contents.kind);
    expect(contents.studyInstanceUid).toBe('2.25.12');
    expect(contents.instances.map(({ entry, header }) => [entry.name, header.sopInstanceUid])).toEqual([
      ['IM/1', '2.25.11.1'],
      ['IM/2.dcm', '2.25.11.2'],
    ]);
    expect(String(Buffer.from(contents.sidecar!))).toBe('{"a":1}');
    expect(contents.skipped.map(({ entry, reason }) => [entry.name, reason])).toEqual([
      ['IM/', 'directory'],
      ['__MACOSX/IM/._2.dcm', 'hidden'],
      ['.DS_Store', 'hidden'],
      ['IM/Icon\r', 'hidden'],
      ['__MACOSX/IM/._Icon♪', 'hidden'],
      ['Icon♪', 'hidden'],
      ['DICOMDIR', 'dicomdir'],
      ['README.txt', 'other'],
      ['viewer.zip', 'archive'],
      ['tool', 'archive'],
      ['VIEWER.EXE', 'other'],
      ['empty', 'other'],
      ['other/metadata.json', 'other'],
      ['dwi.bvec', 'other'],
    ]);
  });

  it('is recognised by its content, whatever its names', async () => {
    for (const name of ['1.txt', '1.nii.gz', '1.zip', '1.bval', 'metadata.json', '1'])
      expect(await survey([{ ...one, name }])).toMatchObject({ ok: true, contents: { kind: 'dicom' } });
  });

  it('may hold a DICOMDIR under another name', async () => {
    const [sopClass] = elementsFrom({ MediaStorageSOPClassUID: '1.2.840.10008.1.3.10' });
    const directory = Buffer.from(writeDicom({ elements: [], fileMeta: [sopClass!] }));
    expect(await survey([{ name: 'index.dcm', data: directory }, one])).toMatchObject({
      contents: { instances: [{}], skipped: [{ reason: 'dicomdir' }] },
    });
    expect(await survey([{ name: 'index.dcm', data: directory }])).toMatchObject({
      rule: 'zip.no-imaging',
    });
  });

  it('hands every instance to the store, as its bytes are', async () => {
    const kept = new Map<number, [EntryRole, Buffer]>();
    await survey([readme, one, two, viewer], async (entry, role, bytes) => {
      kept.set(entry.number, [role, await collect(bytes)]);
    });
    expect([...kept]).toEqual([
      [2, ['dicom', one.data]],
      [3, ['dicom', two.data]],
    ]);
  });
});

describe('an archive with one NIfTI set', () => {
  it.each([
    ['a .nii', [nii, bval, bvec]],
    ['a .nii.gz', [bvec, bval, { name: 'sub/DWI.NII.GZ', data: gzipSync(diffusion.nii) }]],
    ['other files', [readme, viewer, nii, bval, bvec, { name: 'x.json', data: '{}' }]],
  ])('of %s', async (_name, entries) => {
    const roles: string[] = [];
    const verdict = await survey(entries, async (_entry, role, bytes) => {
      roles.push(role);
      await collect(bytes);
    });
    expect(verdict).toMatchObject({
      ok: true,
      contents: {
        kind: 'nifti',
        volume: { header: { dimensions: [2, 2, 2, 4], volumes: 4 } },
        bval: { entry: { name: 'dwi.bval' }, bytes: diffusion.bval },
        bvec: { entry: { name: 'dwi.bvec' }, bytes: diffusion.bvec },
        gradients: { bValues: [0, 1000, 1000, 1000] },
      },
    });
    expect(roles.sort()).toEqual(['bval', 'bvec', 'nifti']);
  });
});

describe('refused is', () => {
  const truncated: ZipFixtureEntry = { name: 'x', data: instance(3).subarray(0, -1) };
  const large = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');

  it.each<[string, string | undefined, readonly ZipFixtureEntry[]]>([
    ['zip.no-imaging', undefined, []],
    ['zip.no-imaging', undefined, [readme, { name: 'DICOMDIR', data: instance(1) }]],
    ['zip.no-imaging', undefined, [bval, bvec]],
    ['zip.nested', 'entry 2', [readme, viewer]],
    ['zip.nested', 'entry 1', [{ name: 'study.tar.gz', data: gzipSync('') }]],
    ['zip.nested', 'entry 1', [{ name: 'study', data: writeZip([one]) }]],
    ['zip.mixed-studies', 'entry 2', [one, { name: '2', data: instance(2, '2.25.13') }]],
    ['zip.mixed-studies', 'entry 4', [bval, bvec, one, nii]],
    ['zip.mixed-studies', 'entry 4', [nii, bval, bvec, one]],
    ['zip.mixed-studies', 'entry 4', [nii, bval, bvec, { ...nii, name: 'two.nii' }]],
    ['zip.sidecar', 'entry 2', [one, { name: 'metadata.json', data: Buffer.alloc(1024 * 1024 + 1) }]],
    ['dicom.truncated', 'entry 2, (7FE0,0010)', [one, truncated]],
    ['dicom.not-part10', 'entry 2', [one, { name: 'x.dcm', data: 'no' }]],
    ['empty', 'entry 2', [one, { name: 'x.DCM' }]],
    ['nifti.header', 'entry 2, magic', [bval, { name: 'x.nii', data: writeNifti({ magic: 'ni1\0' }) }]],
    ['nifti.truncated', 'entry 1', [{ ...nii, data: diffusion.nii.subarray(0, -1) }, bval, bvec]],
    ['nifti.gradients', 'entry 1', [nii]],
    ['nifti.gradients', 'entry 1', [nii, bval]],
    ['nifti.gradients', 'entry 4', [nii, bval, bvec, { ...bvec, name: 'two.bvec' }]],
    ['nifti.gradients', 'vector 2', [nii, bval, { ...bvec, data: '0 2 0 0\n0 0 1 0\n0 0 0 1' }]],
    ['nifti.gradients', 'entry 1', [{ ...bval, data: large }, nii, bvec]],
    ['zip.header-mismatch', 'entry 2', [one, { ...readme, name: '.x', local: { name: '.y' } }]],
    ['zip.header-mismatch', 'entry 2', [one, { ...readme, local: { name: 'readme.txt' } }]],
    ['zip.corrupt', 'entry 2', [one, { ...two, local: { crc32: 1 }, central: { crc32: 1 } }]],
    ['zip.lying-size', 'entry 1', [{ ...nii, local: { size: 9999 }, central: { size: 9999 } }, bval, bvec]],
  ])('%s at %s %#', async (rule, where, entries) => {
    const verdict = await survey(entries);
    expect(verdict).toMatchObject({ ok: false, rule, message: expect.any(String) });
    if (verdict.ok) return;
    if (where === undefined) expect(verdict.where).toBeUndefined();
    else expect(verdict.where).toContain(where);
  });

  it('zip.ratio through what is gzipped within', async () => {
    const bomb = gzipSync(gzipSync(Buffer.alloc(1 << 24)));
    const verdict = await survey([{ name: 'x.nii.gz', data: gzipSync(Buffer.alloc(1 << 24)) }], undefined, {
      freeBytes: 1 << 20,
    });
    expect(verdict).toMatchObject({ rule: 'zip.ratio', where: 'entry 1' });
    const zipped = [{ name: 'x.nii.gz', data: gzipSync(Buffer.alloc(1 << 24)) }];
    expect(await survey(zipped, undefined, { maxBytes: 1 << 20 })).toMatchObject({ rule: 'zip.too-large' });
    expect(await survey([{ name: 'x.nii.gz', data: bomb }])).toMatchObject({ rule: 'nifti.header' });
  });
});

describe('gradients', () => {
  const zeros: ZipFixtureEntry = { name: 'zeros.bval', data: Buffer.alloc(4 * 1024 * 1024) };
  const more = ['b', 'c', 'd'].map((name) => ({ ...zeros, name: `${name}.bval` }));
  const tooLarge: ZipFixtureEntry = { name: 'large.bvec', data: Buffer.alloc(4 * 1024 * 1024 + 1) };

  it.each<[string, readonly ZipFixtureEntry[], readonly string[]]>([
    ['before a study are skipped, one of them read', [zeros, ...more, tooLarge, one], ['bval', 'dicom']],
    ['behind an instance are skipped unread', [one, ...more, tooLarge, two], ['dicom', 'dicom']],
  ])('%s', async (_name, entries, roles) => {
    const kept: string[] = [];
    const verdict = await survey(entries, async (_entry, role, bytes) => {
      kept.push(role);
      await collect(bytes);
    });
    expect(kept).toEqual(roles);
    const skipped = entries.filter(({ name }) => /bv/.test(String(name)));
    expect(verdict).toMatchObject({
      contents: { kind: 'dicom', skipped: skipped.map(({ name }) => ({ entry: { name }, reason: 'other' })) },
    });
  });

  it('of a set are read and stored once each, however many there are', async () => {
    const kept: string[] = [];
    const verdict = await survey([bval, ...more, nii, bvec, tooLarge], async (entry, role, bytes) => {
      kept.push(`${role} ${entry.number}`);
      await collect(bytes);
    });
    expect(kept).toEqual(['bval 1', 'nifti 5', 'bvec 6']);
    expect(verdict).toMatchObject({ rule: 'nifti.gradients', where: 'entry 2' });
  });
});

describe('a store', () => {
  it('that fails fails the survey, unless the archive failed it', async () => {
    const failing: StoreEntry = () => Promise.reject(new Error('bucket away'));
    await expect(survey([one], failing)).rejects.toThrow('bucket away');
    const wrapping: StoreEntry = async (_entry, _role, bytes) => {
      await collect(bytes).catch(() => {
        throw new Error('the stream of the body failed');
      });
    };
    const corrupt = { ...one, local: { crc32: 1 }, central: { crc32: 1 } };
    expect(await survey([corrupt], wrapping)).toMatchObject({ rule: 'zip.corrupt' });
  });

  it('that leaves bytes is a defect', async () => {
    const lazy: StoreEntry = async (_entry, _role, bytes) => {
      for await (const _chunk of bytes) break;
    };
    await expect(survey([one], lazy)).rejects.toThrow('not stored to its end');
  });

  it('sees a failure of the source as that, not as a verdict', async () => {
    const bytes = writeZip([{ ...one, method: 0 }, readme]);
    let away = false;
    const source = {
      size: bytes.length,
      async *read(start: number, end: number): AsyncGenerator<Uint8Array> {
        await Promise.resolve();
        if (away) throw new Error('bucket away');
        yield bytes.subarray(start, end);
      },
    };
    const result = await openZip(source, { blockBytes: 64, maxBlocks: 2 });
    if (!result.ok) throw new Error(result.rule);
    away = true;
    await expect(surveyArchive(result.archive)).rejects.toThrow('bucket away');
  });
});
