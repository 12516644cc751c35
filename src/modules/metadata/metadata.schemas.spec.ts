import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { metadataPatchSchema, metadataQuerySchema, requiredMetadataSchema } from './metadata.schemas.js';

const issuesOf = (schema: z.ZodType, input: unknown): unknown =>
  schema.safeParse(input).error?.issues.map(({ path, message }) => [path.join('.'), message]);

describe('metadataPatchSchema', () => {
  it('gives the patch by keyword', () => {
    expect(metadataPatchSchema.parse({ '00100020': ' P-1', StudyID: null })).toEqual({
      PatientID: 'P-1',
      StudyID: null,
    });
  });

  it('names each attribute that is refused', () => {
    expect(issuesOf(metadataPatchSchema, { PatientSex: 'f', Rows: 1, StudyID: 'ok' })).toEqual([
      ['PatientSex', 'must have capital letters, digits, spaces and underscores only'],
      ['Rows', 'describes pixels or waveforms, which metadata cannot change'],
    ]);
    for (const input of [[], 'x', null, undefined])
      expect(issuesOf(metadataPatchSchema, input)).toEqual([['', 'must be a JSON object']]);
  });

  it('is described for OpenAPI', () => {
    expect(z.toJSONSchema(metadataPatchSchema, { io: 'input' })).toMatchObject({ type: 'object' });
    expect(z.toJSONSchema(metadataQuerySchema, { io: 'input' })).toMatchObject({ type: 'string' });
  });
});

describe('metadataQuerySchema', () => {
  it('takes what identifies nobody', () => {
    expect(metadataQuerySchema.parse('{"Modality":"CT","PatientSex":"F"}')).toEqual({
      Modality: 'CT',
      PatientSex: 'F',
    });
  });

  it('sends everything else to the body of a POST, right or wrong', () => {
    const refused = 'can identify somebody, and a query is logged: use POST';
    expect(
      issuesOf(metadataQuerySchema, '{"PatientName":"A^B","00100030":"x","Modality":"ct","Nme":1}'),
    ).toEqual([
      ['PatientName', refused],
      ['PatientBirthDate', refused],
      ['Modality', 'must have capital letters, digits, spaces and underscores only'],
      ['Nme', 'is neither a keyword of DICOM nor a tag of 8 hexadecimal digits'],
    ]);
  });

  it('refuses what is no JSON object, or long', () => {
    for (const text of ['', '{', '[]', '"x"', 'null'])
      expect(issuesOf(metadataQuerySchema, text)).toHaveLength(1);
    expect(issuesOf(metadataQuerySchema, `{}${' '.repeat(4096)}`)).toEqual([
      ['', 'must have at most 4096 characters: use POST'],
    ]);
  });
});

describe('requiredMetadataSchema', () => {
  it('keeps keywords, each once', () => {
    expect(requiredMetadataSchema.parse(['PatientID', '00100020', 'StudyID'])).toEqual([
      'PatientID',
      'StudyID',
    ]);
  });

  it('refuses what no metadata could ever supply', () => {
    expect(issuesOf(requiredMetadataSchema, ['PatientID', 'Nme', 'StudyInstanceUID', 'Rows'])).toEqual([
      ['1', expect.any(String)],
      ['2', expect.any(String)],
      ['3', expect.any(String)],
    ]);
    expect(issuesOf(requiredMetadataSchema, Array(101).fill('PatientID'))).toHaveLength(1);
  });
});
