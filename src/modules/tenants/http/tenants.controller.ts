import {
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
  UseInterceptors,
} from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { EtagInterceptor, type ExpectedVersion, IfMatch, NeedsIfMatch } from '../../../platform/http/etag.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type CreateOrganization,
  createOrganizationSchema,
  type ListOrganizations,
  listOrganizationsSchema,
  type OrganizationPage,
  organizationPageSchema,
  organizationSchema,
  type OrganizationView,
  type UpdateOrganization,
  updateOrganizationSchema,
} from '../tenants.schemas.js';
import { TenantsService } from '../tenants.service.js';

@ApiTags('Organizations')
@Controller('api/v1/admin/organizations')
@UseInterceptors(EtagInterceptor)
export class TenantsController {
  constructor(private readonly tenants: TenantsService) {}

  @Get()
  @Requires('organizations:list')
  @ApiOperation({ summary: 'Every organization, newest first (platform only)' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: organizationPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listOrganizationsSchema }) query: ListOrganizations,
  ): Promise<OrganizationPage> {
    return this.tenants.list(caller, query);
  }

  @Post()
  @Requires('organizations:create')
  @ApiOperation({ summary: 'Make an organization and its first owner (platform only)' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The organization', standardSchema: organizationSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createOrganizationSchema }) input: CreateOrganization,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<OrganizationView> {
    return this.tenants.create(caller, input, key);
  }

  @Get(':id')
  @Requires('organizations:read')
  @ApiOperation({ summary: 'One organization: the caller’s own, or to the platform any' })
  @ApiResponse({ status: 200, description: 'The organization', standardSchema: organizationSchema })
  read(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<OrganizationView> {
    return this.tenants.read(caller, id);
  }

  @Patch(':id')
  @Requires('organizations:update')
  @ApiOperation({ summary: 'Rename it, or say what its orders must have' })
  @NeedsIfMatch()
  @ApiResponse({ status: 200, description: 'The organization', standardSchema: organizationSchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateOrganizationSchema }) input: UpdateOrganization,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<OrganizationView> {
    return this.tenants.update(caller, id, input, expected);
  }

  @Post(':id/disable')
  @HttpCode(200)
  @Requires('organizations:disable')
  @ApiOperation({ summary: 'Have everybody of it out within a second (platform only)' })
  @ApiResponse({ status: 200, description: 'The organization', standardSchema: organizationSchema })
  disable(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<OrganizationView> {
    return this.tenants.disable(caller, id);
  }

  @Post(':id/enable')
  @HttpCode(200)
  @Requires('organizations:enable')
  @ApiOperation({ summary: 'Let them in again (platform only)' })
  @ApiResponse({ status: 200, description: 'The organization', standardSchema: organizationSchema })
  enable(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<OrganizationView> {
    return this.tenants.enable(caller, id);
  }
}
