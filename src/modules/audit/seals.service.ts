import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Caller } from '../../platform/authorization/principal.js';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import { cursorOf } from '../../platform/http/cursor.js';
import { entryJson, signedJson } from './export.manifest.js';
import { newestTrees, ourSealKeys } from './seal.rows.js';
import type { ListSeals, SealKeySet, SealPage } from './seals.schemas.js';

/** Position of the last tree of a page. */
const positions = cursorOf(z.int().min(1));

/** What an auditor takes home: the seals of an organization, and the keys that they can be checked with. */
@Injectable()
export class SealsService {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
  ) {}

  /** Newest first. */
  list(caller: Caller, { limit, cursor }: ListSeals): Promise<SealPage> {
    const { organizationId } = caller.principal;
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : positions.decode(cursor);
    return this.database.withOrganizationSql(organizationId, async (tx) => {
      const rows = await newestTrees(tx, organizationId, before, limit + 1);
      const page = rows.slice(0, limit);
      const items = page.map((row) => ({ tree: entryJson(row), ...signedJson(row) }));
      return { items, ...(rows.length > limit && { next_cursor: positions.encode(page.at(-1)!.first) }) };
    });
  }

  /** A JSON Web Key Set (RFC 7517, RFC 8037), newest first: those that have signed once verify for ever. */
  keys(caller: Caller): Promise<SealKeySet> {
    return this.database.withOrganizationSql(caller.principal.organizationId, async (tx) => ({
      keys: [...(await ourSealKeys(tx, this.config.SCANDOCK_MASTER_KEY))].map(([kid, key]) => ({
        kty: 'OKP',
        crv: 'Ed25519',
        x: key.export({ format: 'jwk' }).x!,
        kid,
        alg: 'EdDSA',
        use: 'sig',
      })),
    }));
  }
}
