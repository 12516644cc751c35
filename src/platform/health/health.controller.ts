import { Controller, Get, Header, HttpCode, Inject, Res } from '@nestjs/common';
import { getQueueToken } from '@nestjs/bullmq';
import { ModuleRef } from '@nestjs/core';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Queue } from 'bullmq';
import type { FastifyReply } from 'fastify';
import { Public } from '../authorization/requires.js';
import { CONFIG } from '../config/config.module.js';
import type { ConfigValues } from '../config/config.schema.js';
import { DatabaseService } from '../database/database.service.js';
import { notFound } from '../errors/application-error.js';
import { QUEUES } from '../queue/queues.js';
import { StorageService } from '../storage/storage.service.js';
import './health.policy.js';
import { metrics } from './metrics.js';

const PROBE_LIMIT_MS = 2_000;
const PROBE_LIFETIME_MS = 1_000;

interface Dependencies {
  database: boolean;
  queue: boolean;
  storage: boolean;
}

@ApiTags('Operations')
@Controller()
export class HealthController {
  private probed: Promise<Dependencies> | undefined;
  private probedAt = 0;

  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly database: DatabaseService,
    private readonly storage: StorageService,
    private readonly modules: ModuleRef,
  ) {}

  @Get('healthz')
  @Header('cache-control', 'no-store')
  @Public('system:health')
  @ApiOperation({ summary: 'The process is alive' })
  alive(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('readyz')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Public('system:health')
  @ApiOperation({ summary: 'Each dependency: 200 when all answer, else 503' })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<object> {
    const { database, queue, storage } = await this.probeAll();
    // The queue only makes things fast: without it we are slow, not out of order.
    const ready = database && storage;
    if (!ready) reply.code(503).header('retry-after', '2');
    return {
      status: ready ? 'ok' : 'unavailable',
      dependencies: { database: word(database), storage: word(storage), queue: word(queue) },
    };
  }

  /** Once a second at most: anybody may ask, and each answer costs every dependency a round trip. */
  private probeAll(): Promise<Dependencies> {
    if (!this.probed || Date.now() - this.probedAt > PROBE_LIFETIME_MS) {
      this.probedAt = Date.now();
      this.probed = Promise.all([
        probe(() => this.database.outside.$queryRaw`SELECT 1`),
        probe(() => this.modules.get<Queue>(getQueueToken(QUEUES[0]), { strict: false }).getWaitingCount()),
        probe(() => this.storage.ping()),
      ]).then(([database, queue, storage]) => ({ database, queue, storage }));
    }
    return this.probed;
  }

  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @Public('system:metrics')
  @ApiOperation({ summary: 'Prometheus metrics, unless METRICS_PORT moves them' })
  metrics(): Promise<string> {
    if (this.config.METRICS_PORT !== undefined) throw notFound();
    return metrics.metrics();
  }
}

const word = (up: boolean): 'up' | 'down' => (up ? 'up' : 'down');

async function probe(check: () => PromiseLike<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), PROBE_LIMIT_MS)));
  const answer = Promise.resolve(check()).then(
    () => true,
    () => false,
  );
  return Promise.race([answer, limit]).finally(() => clearTimeout(timer));
}
