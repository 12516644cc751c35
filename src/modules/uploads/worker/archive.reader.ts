import { Injectable } from '@nestjs/common';
import { StorageService } from '../../../platform/storage/storage.service.js';
import type { Claim } from '../upload.ledger.js';
import { rejection } from '../uploads.rules.js';
import type { Archive, Rejected } from './content.js';

@Injectable()
export class ArchiveReader {
  constructor(protected readonly storage: StorageService) {}

  read(_organizationId: string, _claim: Claim, _size: number): Promise<Archive | Rejected> {
    return Promise.resolve({ rejection: rejection('type.not-allowed') });
  }
}
