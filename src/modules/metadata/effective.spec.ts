import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { effectiveAttributes, missingRequired, overlayConflicts } from './effective.js';

describe('effectiveAttributes', () => {
  it('puts API over sidecar over tag, and says where a value is from', () => {
    expect(
      effectiveAttributes({
        api: { PatientName: 'Api', StudyID: 'A' },
        sidecar: { PatientName: 'Sidecar', PatientID: 'S' },
        tags: { PatientName: 'Tag', PatientID: 'T', Modality: 'CT' },
      }),
    ).toEqual({
      Modality: { value: 'CT', origin: 'tag' },
      PatientID: { value: 'S', origin: 'sidecar', tag_value: 'T' },
      PatientName: { value: 'Api', origin: 'api', tag_value: 'Tag' },
      StudyID: { value: 'A', origin: 'api' },
    });
    expect(effectiveAttributes({})).toEqual({});
  });

  it('has each attribute of any source once, from the strongest that has it', () => {
    const source = fc.dictionary(
      fc.constantFrom('PatientName', 'PatientID', 'StudyID', 'Modality'),
      fc.string(),
    );
    fc.assert(
      fc.property(source, source, source, (api, sidecar, tags) => {
        const effective = effectiveAttributes({ api, sidecar, tags });
        const merged = { ...tags, ...sidecar, ...api };
        expect(Object.keys(effective)).toEqual(Object.keys(merged).sort());
        for (const [keyword, { value, origin }] of Object.entries(effective)) {
          expect(value).toBe(merged[keyword]);
          expect({ api, sidecar, tag: tags }[origin][keyword]).toBe(value);
        }
      }),
    );
  });
});

describe('overlayConflicts', () => {
  it('lists what differs from the tag, and not what is only written otherwise', () => {
    const effective = effectiveAttributes({
      api: {
        PatientName: 'Doe^Jane',
        PatientWeight: '70.5',
        StudyDate: '20240101',
        StudyID: '1',
        OtherPatientIDs: ['A', 'B'],
      },
      sidecar: { PatientID: 'S', Modality: 'CT' },
      tags: {
        PatientName: 'Doe^John^^',
        PatientWeight: '70.50',
        StudyDate: '2024.01.01',
        PatientID: 'T',
        Modality: 'CT',
        OtherPatientIDs: ['A', 'B'],
      },
    });
    expect(overlayConflicts(effective)).toEqual([
      { attribute: 'PatientID', origin: 'sidecar', value: 'S', tag_value: 'T' },
      { attribute: 'PatientName', origin: 'api', value: 'Doe^Jane', tag_value: 'Doe^John^^' },
    ]);
  });
});

describe('missingRequired', () => {
  it('lists what has no value or an empty one', () => {
    const effective = effectiveAttributes({
      api: { StudyID: '1' },
      tags: { PatientName: '^^', PatientID: 'P', OtherPatientIDs: ['', ' '] },
    });
    const required = ['Modality', 'PatientName', 'StudyID', 'PatientID', 'OtherPatientIDs', 'constructor'];
    expect(missingRequired(required, effective)).toEqual([
      'Modality',
      'PatientName',
      'OtherPatientIDs',
      'constructor',
    ]);
    expect(missingRequired([], effective)).toEqual([]);
  });
});
