import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { RouteTable } from '../../../platform/http/route-table.service.js';
import { MessagesModule } from '../../../platform/messages/messages.module.js';
import { AuthModule } from '../../auth/auth.module.js';
import { AccessModule } from '../access.module.js';
import { BindingsService } from '../bindings.service.js';
import { ClientSecretsService } from '../client-secrets.service.js';
import { ClientsService } from '../clients.service.js';
import { ExplainService } from '../explain.service.js';
import { GroupMembersService } from '../group-members.service.js';
import { GroupsService } from '../groups.service.js';
import { IdentitiesService } from '../identities.service.js';
import { IdentityProvidersService } from '../identity-providers.service.js';
import { IntrospectionService } from '../introspection.service.js';
import { ManagedApiKeysService } from '../managed-api-keys.service.js';
import { ManagedSessionsService } from '../managed-sessions.service.js';
import { RolesService } from '../roles.service.js';
import { UsersService } from '../users.service.js';
import { ApiKeysController } from './api-keys.controller.js';
import { BindingsController } from './bindings.controller.js';
import { CatalogueController } from './catalogue.controller.js';
import { ClientsController } from './clients.controller.js';
import { ExplainController } from './explain.controller.js';
import { GroupsController } from './groups.controller.js';
import { IdentitiesController } from './identities.controller.js';
import { IdentityProvidersController } from './identity-providers.controller.js';
import { IntrospectionController } from './introspection.controller.js';
import { RolesController } from './roles.controller.js';
import { SessionsController } from './sessions.controller.js';
import { UsersController } from './users.controller.js';

/** The routes by which access is managed, and the services that nothing else needs. */
@Module({
  imports: [DiscoveryModule, MessagesModule, AuthModule, AccessModule],
  controllers: [
    UsersController,
    IdentitiesController,
    GroupsController,
    RolesController,
    BindingsController,
    CatalogueController,
    ClientsController,
    ApiKeysController,
    SessionsController,
    IdentityProvidersController,
    IntrospectionController,
    ExplainController,
  ],
  providers: [
    UsersService,
    GroupsService,
    GroupMembersService,
    RolesService,
    BindingsService,
    ClientsService,
    ClientSecretsService,
    ManagedApiKeysService,
    ManagedSessionsService,
    IdentityProvidersService,
    IdentitiesService,
    IntrospectionService,
    ExplainService,
    RouteTable,
  ],
})
export class AccessHttpModule {}
