import { Controller, Delete, Get, HttpCode, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type ListSessions,
  listSessionsSchema,
  type SessionPage,
  sessionPageSchema,
} from '../credentials.schemas.js';
import { ManagedSessionsService } from '../managed-sessions.service.js';

@ApiTags('Sessions')
@Controller('api/v1/admin/sessions')
export class SessionsController {
  constructor(private readonly sessions: ManagedSessionsService) {}

  @Get()
  @Requires('sessions:list')
  @ApiOperation({ summary: 'Sessions of users that can still be used, newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: sessionPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listSessionsSchema }) query: ListSessions,
  ): Promise<SessionPage> {
    return this.sessions.list(caller, query);
  }

  @Delete(':id')
  @HttpCode(204)
  @Requires('sessions:revoke')
  @ApiOperation({ summary: 'End a session' })
  @ApiResponse({ status: 204, description: 'Its tokens are good for nothing within a second' })
  revoke(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.sessions.revoke(caller, id);
  }
}
