import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { uuid } from '../../../platform/http/validation.js';
import {
  type EventPage,
  eventPageSchema,
  type ListEvents,
  listEventsSchema,
  type SealedEventView,
  sealedEventSchema,
} from '../events.schemas.js';
import { AuditEventsService } from '../events.service.js';

@ApiTags('Audit')
@Controller('api/v1/audit/events')
export class AuditEventsController {
  constructor(private readonly events: AuditEventsService) {}

  @Get()
  @Requires('audit:list-events')
  @ApiOperation({ summary: 'Events of the ledger, newest first, by whatever is known of them' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: eventPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listEventsSchema }) query: ListEvents,
  ): Promise<EventPage> {
    return this.events.list(caller, query);
  }

  @Get(':id')
  @Requires('audit:read-event')
  @ApiOperation({ summary: 'One event of the ledger, with the seal it is under' })
  @ApiResponse({ status: 200, description: 'The event', standardSchema: sealedEventSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<SealedEventView> {
    return this.events.read(caller, id);
  }
}
