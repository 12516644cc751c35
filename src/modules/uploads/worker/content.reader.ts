import { Injectable } from '@nestjs/common';
import { StorageService } from '../../../platform/storage/storage.service.js';
import type { Claim } from '../upload.ledger.js';
import { rejection } from '../uploads.rules.js';
import { ArchiveReader } from './archive.reader.js';
import type { Accepted, Rejected } from './content.js';
import { DOCUMENT_SURFACES, readDocument } from './document.reader.js';
import { misdeclared, type Pass, readThrough } from './inspection.js';

/** Says what the copied object of an upload is, by its bytes, and whether its surface takes it. */
@Injectable()
export class ContentReader {
  constructor(
    private readonly storage: StorageService,
    private readonly archives: ArchiveReader,
  ) {}

  /** Undefined when the object is not there. @throws {IncompleteRead} */
  async read(organizationId: string, claim: Claim): Promise<Accepted | Rejected | undefined> {
    const object = await this.storage.read(claim.key);
    if (!object) return undefined;
    const documents = DOCUMENT_SURFACES[claim.surface];
    if (documents) return readDocument(object, claim, documents);
    const pass = await readThrough(object, claim.surface === 'ingestion');
    const objection = misdeclared(claim, pass);
    if (objection) return { rejection: objection };
    if (claim.surface === 'ingestion' && pass.kind === 'zip')
      return this.readArchive(organizationId, claim, pass);
    return judgeDicom(pass, claim.surface === 'ingestion');
  }

  private async readArchive(organizationId: string, claim: Claim, pass: Pass): Promise<Accepted | Rejected> {
    const outcome = await this.archives.read(organizationId, claim, pass.size);
    return 'rejection' in outcome ? outcome : { ...pass, content: outcome };
  }
}

function judgeDicom(pass: Pass, archivesWelcome: boolean): Accepted | Rejected {
  const verdict = pass.dicom!;
  if (verdict.ok) return { ...pass, content: { kind: 'dicom', header: verdict.header } };
  if (archivesWelcome && (pass.kind === 'nifti' || pass.kind === 'gzip'))
    return { rejection: rejection('type.not-allowed') };
  const { rule, message, where } = verdict;
  return { rejection: { rule, message, ...(where && { where }) } };
}
