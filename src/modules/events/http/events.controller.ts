import { Controller, Get, Header, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { EventFeed } from '../event-feed.js';
import { type EventPage, eventPageSchema, type ListEvents, listEventsSchema } from '../events.schemas.js';

@ApiTags('Events')
@Controller('api/v1')
export class EventsController {
  constructor(private readonly feed: EventFeed) {}

  @Get('events')
  @Header('cache-control', 'no-store')
  @Requires('events:list')
  @ApiOperation({ summary: "The organization's events after a cursor, oldest first" })
  @ApiResponse({
    status: 200,
    description: 'A page; empty when nothing is new',
    standardSchema: eventPageSchema,
  })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listEventsSchema }) query: ListEvents,
  ): Promise<EventPage> {
    return this.feed.list(caller, query);
  }
}
