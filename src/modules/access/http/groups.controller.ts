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
import { GroupMembersService } from '../group-members.service.js';
import {
  type AddMember,
  addMemberSchema,
  type GroupName,
  groupNameSchema,
  type GroupPage,
  groupPageSchema,
  groupSchema,
  type GroupView,
  type ListGroups,
  listGroupsSchema,
  type ListMembers,
  listMembersSchema,
  type MemberPage,
  memberPageSchema,
  memberSchema,
  type MemberView,
} from '../groups.schemas.js';
import { GroupsService } from '../groups.service.js';

@ApiTags('Users and groups')
@Controller('api/v1/admin/groups')
@UseInterceptors(EtagInterceptor)
export class GroupsController {
  constructor(
    private readonly groups: GroupsService,
    private readonly groupMembers: GroupMembersService,
  ) {}

  @Post()
  @Requires('groups:create')
  @ApiOperation({ summary: 'Make a group of staff' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The group', standardSchema: groupSchema })
  create(
    @CurrentCaller() caller: Caller,
    @Body({ schema: groupNameSchema }) input: GroupName,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<GroupView> {
    return this.groups.create(caller, input, key);
  }

  @Get()
  @Requires('groups:list')
  @ApiOperation({ summary: 'Groups, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: groupPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listGroupsSchema }) query: ListGroups,
  ): Promise<GroupPage> {
    return this.groups.list(caller, query);
  }

  @Get(':id')
  @Requires('groups:read')
  @ApiOperation({ summary: 'One group, by its id' })
  @ApiResponse({ status: 200, description: 'The group', standardSchema: groupSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<GroupView> {
    return this.groups.read(caller, id);
  }

  @Patch(':id')
  @Requires('groups:update')
  @NeedsIfMatch()
  @ApiOperation({ summary: 'Rename a group' })
  @ApiResponse({ status: 200, description: 'The group', standardSchema: groupSchema })
  update(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: groupNameSchema }) input: GroupName,
    @IfMatch() expected: ExpectedVersion,
  ): Promise<GroupView> {
    return this.groups.update(caller, id, input, expected);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('groups:delete')
  @ApiOperation({ summary: 'Delete a group, its memberships and its role bindings' })
  @ApiResponse({ status: 204, description: 'It is gone' })
  remove(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.groups.remove(caller, id);
  }

  @Get(':id/members')
  @Requires('groups:list-members')
  @ApiOperation({ summary: 'Who was put into a group, users and groups, latest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: memberPageSchema })
  members(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Query({ schema: listMembersSchema }) query: ListMembers,
  ): Promise<MemberPage> {
    return this.groupMembers.list(caller, id, query);
  }

  @Post(':id/members')
  @Requires('groups:add-member')
  @ApiOperation({ summary: 'Put a user of staff or a group into a group, with all rights of it' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 201, description: 'The membership', standardSchema: memberSchema })
  addMember(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: addMemberSchema }) input: AddMember,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<MemberView> {
    return this.groupMembers.add(caller, id, input, key);
  }

  @Delete(':id/members/:member_id')
  @HttpCode(204)
  @Requires('groups:remove-member')
  @ApiOperation({ summary: 'Take a member out of a group' })
  @ApiResponse({ status: 204, description: 'It is no member any more' })
  removeMember(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Param('member_id', { schema: uuid }) memberId: string,
  ): Promise<void> {
    return this.groupMembers.remove(caller, id, memberId);
  }
}
