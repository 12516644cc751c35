import { Module } from '@nestjs/common';
import { AccessService } from './access.service.js';
import { OrganizationsService } from './organizations.service.js';

@Module({ providers: [AccessService, OrganizationsService], exports: [AccessService, OrganizationsService] })
export class AccessModule {}
