import { Module } from '@nestjs/common';
import './access.policy.js';
import { AccessChanges } from './access-changes.js';
import { AccessService } from './access.service.js';
import { Ledgers } from './ledgers.js';
import { OrganizationsService } from './organizations.service.js';
import { RightsService } from './rights.service.js';

const PROVIDERS = [AccessService, AccessChanges, Ledgers, OrganizationsService, RightsService];

@Module({ providers: PROVIDERS, exports: PROVIDERS })
export class AccessModule {}
