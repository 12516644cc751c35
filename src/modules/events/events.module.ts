import { Module } from '@nestjs/common';
import './events.policy.js';
import { EventFeed } from './event-feed.js';
import { OutboxService } from './outbox.service.js';

@Module({ providers: [OutboxService, EventFeed], exports: [OutboxService, EventFeed] })
export class EventsModule {}
