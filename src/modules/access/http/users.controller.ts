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
  type Invite,
  type Invited,
  invitedSchema,
  inviteSchema,
  type ListUsers,
  listUsersSchema,
  type UpdateUser,
  updateUserSchema,
  type UserPage,
  type SearchUsers,
  searchUsersSchema,
  userPageSchema,
  userSchema,
  type UserView,
} from '../users.schemas.js';
import { UsersService } from '../users.service.js';

@ApiTags('Users and groups')
@Controller('api/v1/admin/users')
@UseInterceptors(EtagInterceptor)
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Post()
  @Requires('users:invite')
  @ApiOperation({ summary: 'Invite somebody of staff, who signs in by their e-mail address from then on' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The user', standardSchema: invitedSchema })
  invite(
    @CurrentCaller() caller: Caller,
    @Body({ schema: inviteSchema }) input: Invite,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<Invited> {
    return this.users.invite(caller, input, key);
  }

  @Get()
  @Requires('users:list')
  @ApiOperation({ summary: 'Staff and patients, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: userPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listUsersSchema }) query: ListUsers,
  ): Promise<UserPage> {
    return this.users.list(caller, query);
  }

  @Post('search')
  @HttpCode(200)
  @Requires('users:list')
  @ApiOperation({ summary: 'Who has an e-mail address, which belongs in no URL' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: userPageSchema })
  search(
    @CurrentCaller() caller: Caller,
    @Body({ schema: searchUsersSchema }) input: SearchUsers,
  ): Promise<UserPage> {
    return this.users.search(caller, input);
  }

  @Get(':id')
  @Requires('users:read')
  @ApiOperation({ summary: 'One user, and the groups they are in' })
  @ApiResponse({ status: 200, description: 'The user', standardSchema: userSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<UserView> {
    return this.users.read(caller, id);
  }

  @Patch(':id')
  @Requires('users:update')
  @NeedsIfMatch()
  @ApiOperation({ summary: 'Change a user’s names' })
  @ApiResponse({ status: 200, description: 'The user', standardSchema: userSchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: updateUserSchema }) input: UpdateUser,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<UserView> {
    return this.users.update(caller, id, input, expected);
  }

  @Post(':id/disable')
  @HttpCode(200)
  @Requires('users:disable')
  @ApiOperation({ summary: 'Put a user out, sessions and tokens included' })
  @ApiResponse({ status: 200, description: 'The user', standardSchema: userSchema })
  disable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<UserView> {
    return this.users.disable(caller, id);
  }

  @Post(':id/enable')
  @HttpCode(200)
  @Requires('users:enable')
  @ApiOperation({ summary: 'Let a user in again, with all their rights' })
  @ApiResponse({ status: 200, description: 'The user', standardSchema: userSchema })
  enable(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<UserView> {
    return this.users.enable(caller, id);
  }
}
