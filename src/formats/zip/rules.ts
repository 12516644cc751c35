/**
 * Why an archive is refused: the stable code and one line that is safe to show to anybody. A message never holds an
 * entry's name, which may be a patient's.
 */
export const ZIP_RULES = {
  'zip.malformed':
    'The file is not a readable ZIP archive, or uses a feature of the format that is not accepted.',
  'zip.encrypted': 'An entry of the archive is encrypted.',
  'zip.path':
    'The name of an entry is not a relative path (absolute, with "..", a backslash or a drive), or has control characters.',
  'zip.link': 'An entry of the archive is a link, a device or a socket.',
  'zip.duplicate': 'Two entries of the archive have one name.',
  'zip.overlap': 'Two entries of the archive share bytes, or an entry reaches into the directory.',
  'zip.header-mismatch': 'The header before an entry says something else than the directory of the archive.',
  'zip.lying-size': 'An entry has another size than the archive says.',
  'zip.corrupt': 'The data of an entry is damaged: it does not inflate, or its checksum differs.',
  'zip.entries': 'The archive has more entries, or a larger directory, than is accepted.',
  'zip.ratio': 'The archive inflates to more than 200 times its size.',
  'zip.too-large': 'The archive inflates to more than 20 GiB, or an entry to more than 5 GiB.',
  'zip.nested': 'The archive holds other archives and no image of its own.',
  'zip.sidecar': 'The metadata.json of the archive is larger than is accepted.',
  'zip.mixed-studies':
    'The archive holds more than one DICOM study, more than one NIfTI volume, or both kinds.',
  'zip.no-imaging': 'The archive holds neither a DICOM study nor a NIfTI set.',
} as const;

export type ZipRule = keyof typeof ZIP_RULES;

/** A refusal and its place: `entry N`, counted from 1 in the archive's directory. */
export interface ZipFailure {
  readonly ok: false;
  readonly rule: ZipRule;
  readonly message: string;
  readonly where?: string;
}

/** Ends the reading of an archive that breaks a rule. Errors of the source the bytes come from are never one of these. */
export class ZipRefusal extends Error {
  constructor(
    readonly rule: ZipRule,
    readonly where?: string,
  ) {
    super(ZIP_RULES[rule]);
    this.name = 'ZipRefusal';
  }

  get failure(): ZipFailure {
    const { rule, message, where } = this;
    return { ok: false, rule, message, ...(where !== undefined && { where }) };
  }
}

/** The place of an entry, by its number in the directory. */
export function placeOf(entry: { readonly number: number }): string {
  return `entry ${entry.number}`;
}
