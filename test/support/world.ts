import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type Api, createApi } from '../../src/api.js';
import { OrganizationsService } from '../../src/modules/access/organizations.service.js';
import { SCOPES, type Scope } from '../../src/platform/authorization/scopes.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { WorkerModule } from '../../src/worker.module.js';
import { type Stack, startStack } from './stack.js';

const DAY_MS = 24 * 3_600_000;

/** A tenant with one principal that may do everything in it. */
export interface Tenant {
  organizationId: string;
  clientId: string;
  clientSecret: string;
  apiKey: string;
}

export interface World extends Stack {
  api: Api;
  baseUrl: string;
  organizations: OrganizationsService;
  newTenant(
    role?: 'owner' | 'uploader' | 'reader' | 'coordinator',
    scopes?: readonly Scope[],
  ): Promise<Tenant>;
  /** Runs a worker in this process until the world closes. */
  startWorker(): Promise<INestApplicationContext>;
  /** Moves the API's clock. */
  travel(milliseconds: number): void;
  /** To just after the next midnight, UTC, so that what is counted by the day is counted in one. */
  travelToMidnight(): void;
  /** Of the API's clock. */
  now(): Date;
  close(): Promise<void>;
}

/** The API in this process, listening, on a stack of its own. Parameters are those of {@link startStack}. */
export async function createWorld(
  overrides: Record<string, string> = {},
  connections: Record<string, string> = {},
): Promise<World> {
  const stack = await startStack(overrides, connections);
  const api = await createApi(stack.config);
  await api.app.listen(stack.config.PORT, '127.0.0.1');
  const organizations = api.app.get(OrganizationsService, { strict: false });
  const workers: INestApplicationContext[] = [];
  let offset = 0;
  const now = () => new Date(Date.now() + offset);
  api.app.get(Clock).now = now;

  return {
    ...stack,
    api,
    baseUrl: stack.config.PUBLIC_URL,
    organizations,
    newTenant: async (role = 'owner', scopes = SCOPES) => {
      const organizationId = await organizations.createOrganization('Tenant');
      const client = await organizations.createClient({ organizationId, name: 'client', role, scopes });
      const apiKey = await organizations.createApiKey({ organizationId, name: 'key', role, scopes });
      return { organizationId, ...client, apiKey };
    },
    startWorker: async () => {
      const worker = await NestFactory.createApplicationContext(WorkerModule.with(stack.workerConfig), {
        logger: false,
      });
      workers.push(worker);
      return worker;
    },
    travel: (milliseconds) => {
      offset += milliseconds;
    },
    travelToMidnight: () => {
      offset += DAY_MS - (now().getTime() % DAY_MS) + 1_000;
    },
    now,
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await api.app.close();
      await stack.close();
    },
  };
}
