import { Injectable } from '@nestjs/common';
import { PLATFORM_ORGANIZATION } from '../../platform/authorization/platform-organization.js';
import type { RequestInfo } from '../../platform/authorization/principal.js';
import { DatabaseService } from '../../platform/database/database.service.js';
import type { Door } from './door.js';

/**
 * From the organization staff names to its door. Whether there is such an organization must not be told: without one the
 * door is there all the same, and what is asked for at it is counted and recorded as the platform's. It leads nowhere.
 */
@Injectable()
export class StaffDoors {
  constructor(private readonly database: DatabaseService) {}

  async open(named: string, request: RequestInfo): Promise<Door> {
    const rows = await this.database.withOrganizationSql(
      named,
      (tx) => tx.$queryRaw<unknown[]>`
        SELECT 1 FROM organization WHERE id = ${named}::uuid AND disabled_at IS NULL`,
    );
    const organizationId = rows.length > 0 ? named : PLATFORM_ORGANIZATION;
    request.about = { ...request.about, organizationId };
    return { kind: 'staff', named, organizationId, portalKeyId: null };
  }
}
