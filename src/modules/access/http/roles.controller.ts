import {
  Body,
  Controller,
  Delete,
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
  type CreateRole,
  createRoleSchema,
  type ListRoles,
  listRolesSchema,
  type RolePage,
  rolePageSchema,
  roleSchema,
  type RoleView,
  type UpdateRole,
  updateRoleSchema,
} from '../roles.schemas.js';
import { RolesService } from '../roles.service.js';

@ApiTags('Access')
@UseInterceptors(EtagInterceptor)
@Controller('api/v1/admin/roles')
export class RolesController {
  constructor(private readonly roles: RolesService) {}

  @Get()
  @Requires('roles:list')
  @ApiOperation({ summary: 'Roles, built-in and your own, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: rolePageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listRolesSchema }) query: ListRoles,
  ): Promise<RolePage> {
    return this.roles.list(caller, query);
  }

  @Post()
  @Requires('roles:create')
  @ApiOperation({ summary: 'Make a role of rules that you hold yourself' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The role', standardSchema: roleSchema })
  @ApiResponse({ status: 403, description: 'You do not hold what it would grant' })
  @ApiResponse({ status: 409, description: 'There is one of that name' })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: createRoleSchema }) input: CreateRole,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<RoleView> {
    return this.roles.create(caller, input, key);
  }

  @Get(':id')
  @Requires('roles:read')
  @ApiOperation({ summary: 'One role, with its rules' })
  @ApiResponse({ status: 200, description: 'The role', standardSchema: roleSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<RoleView> {
    return this.roles.read(caller, id);
  }

  @Patch(':id')
  @Requires('roles:update')
  @ApiOperation({
    summary: 'Rename a role of your own, or give it other rules: for all who have it, at once',
  })
  @NeedsIfMatch()
  @ApiResponse({ status: 200, description: 'The role', standardSchema: roleSchema })
  @ApiResponse({ status: 403, description: 'You do not hold what it would grant besides' })
  @ApiResponse({ status: 409, description: 'It is built-in, or there is one of that name' })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateRoleSchema }) input: UpdateRole,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<RoleView> {
    return this.roles.update(caller, id, input, expected);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('roles:delete')
  @ApiOperation({ summary: 'Delete a role of your own that is bound to nobody' })
  @ApiResponse({ status: 204, description: 'It is gone' })
  @ApiResponse({ status: 409, description: 'It is built-in, or bound' })
  remove(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.roles.remove(caller, id);
  }
}
