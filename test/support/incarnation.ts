import type { ModuleRef } from '@nestjs/core';
import { AuditService } from '../../src/modules/audit/audit.service.js';
import { OutboxService } from '../../src/modules/events/outbox.service.js';
import { FileCompletion } from '../../src/modules/inspect/worker/file-completion.js';
import { OverlaysService } from '../../src/modules/metadata/overlays.service.js';
import { SubmissionCloser } from '../../src/modules/studies/submission.closer.js';
import { StudyRegistrar } from '../../src/modules/studies/study.registrar.js';
import { LandingService } from '../../src/modules/uploads/landing.service.js';
import type { VerifyUploadPayload } from '../../src/modules/uploads/uploads.jobs.js';
import { ArchiveReader } from '../../src/modules/uploads/worker/archive.reader.js';
import { ContentReader } from '../../src/modules/uploads/worker/content.reader.js';
import { PurgeService } from '../../src/modules/uploads/worker/purge.service.js';
import { Reconciler } from '../../src/modules/uploads/worker/reconciler.js';
import { SettlementService } from '../../src/modules/uploads/worker/settlement.service.js';
import { StagingSweep } from '../../src/modules/uploads/worker/staging.sweep.js';
import { VerifyService } from '../../src/modules/uploads/worker/verify.service.js';
import { Clock } from '../../src/platform/clock/clock.js';
import type { ConfigValues } from '../../src/platform/config/config.schema.js';
import type { DatabaseService, Transaction } from '../../src/platform/database/database.service.js';
import type { SqlTransaction } from '../../src/platform/database/sql-transaction.js';
import type { Chore } from '../../src/platform/queue/chore.js';
import { Enqueuer } from '../../src/platform/queue/enqueuer.js';
import type { JobDefinition } from '../../src/platform/queue/job.js';
import type { ObjectFacts, StorageService } from '../../src/platform/storage/storage.service.js';

/**
 * What goes wrong at the `step`-th call to the outside. `refused`: the call has no effect. `unanswered`: it has its
 * effect, and the answer is lost. `died`: the same, and the process with it. (Dying before a step is dying after the
 * one before it.)
 */
export interface Fault {
  step: number;
  kind: 'refused' | 'unanswered' | 'died';
}

/** What the two worker incarnations of one test share: the world outside of the process. */
export interface Outside {
  config: ConfigValues;
  database: DatabaseService;
  storage: StorageService;
}

/** What a driver throws when the other side is away. */
class Away extends Error {
  readonly code = 'ECONNRESET';
}

export class MovableClock extends Clock {
  private offset = 0;

  override now(): Date {
    return new Date(Date.now() + this.offset);
  }

  travel(milliseconds: number): void {
    this.offset += milliseconds;
  }
}

/**
 * One life of a worker process, its parts put together by hand. Each call that leaves the process is a step, at one of
 * which it may die: from then on every call fails, as nothing a dead process does has an effect.
 */
export class Incarnation {
  steps = 0;
  died = false;
  /** The step at which the fault struck; none when the life was over before. */
  struck: string | undefined;
  /** What was queued; nobody works it off but {@link drain}. */
  readonly queued = new Map<string, VerifyUploadPayload>();
  readonly verifier: VerifyService;
  readonly settlement: SettlementService;
  readonly reconciler: Reconciler;
  readonly landing: LandingService;
  readonly purge: PurgeService;
  /** What modules have the reconciler do; a kind of life that knows any adds it. */
  protected readonly chores: Chore[] = [];
  protected readonly database: DatabaseService;
  protected readonly enqueuer: Enqueuer;

  constructor(
    private readonly world: Outside,
    clock: Clock,
    private readonly fault?: Fault,
  ) {
    const database = (this.database = this.mortalDatabase());
    const storage = this.mortalStorage();
    const enqueuer = (this.enqueuer = this.mortalEnqueuer());
    const audit = new AuditService(database, clock);
    const outbox = new OutboxService(clock);
    const closer = new SubmissionCloser(database, outbox, audit, clock);
    const registrar = new StudyRegistrar(closer, outbox, clock);
    const overlays = new OverlaysService(clock);
    this.settlement = new SettlementService(
      database,
      audit,
      outbox,
      overlays,
      registrar,
      [new FileCompletion(clock)],
      clock,
    );
    const reader = new ContentReader(storage, new ArchiveReader(database, storage, clock));
    this.verifier = new VerifyService(database, storage, reader, this.settlement, clock);
    this.landing = new LandingService(storage, database, audit, enqueuer, clock);
    this.purge = new PurgeService(world.config, database, storage, audit, clock);
    const sweep = new StagingSweep(storage, database, this.landing, clock);
    this.reconciler = new Reconciler(
      world.config,
      database,
      sweep,
      this.purge,
      registrar,
      this.chores,
      enqueuer,
      outbox,
      audit,
      clock,
    );
    Object.assign(this.reconciler, { logger: { warn: () => undefined } });
    Object.assign(closer, { logger: { warn: () => undefined } });
    Object.assign(sweep, { logger: { warn: () => undefined } });
  }

  /** Works off what is queued, as the processor does: a job that fails counts and comes again, `attempts` times in all. */
  async drain(attempts = 4): Promise<void> {
    for (let payload = this.next(); payload; payload = this.next())
      for (let attempt = 1; attempt <= attempts && !this.died; attempt++)
        try {
          await this.verifier.verify(payload);
          break;
        } catch (error) {
          await this.verifier.giveUp(payload, error).catch(() => undefined);
        }
  }

  /** Passes of the reconciler, each followed by what it queued. */
  async live(passes: number): Promise<void> {
    for (let pass = 0; pass < passes && !this.died; pass++) {
      await this.reconciler.run();
      await this.drain();
    }
  }

  private next(): VerifyUploadPayload | undefined {
    const [first] = this.queued.values();
    if (first) this.queued.delete(first.uploadId);
    return this.died ? undefined : first;
  }

  protected async step<T>(name: string, act: () => PromiseLike<T>): Promise<T> {
    if (this.died) throw new Away('the process is dead');
    const fault = this.fault?.step === ++this.steps ? this.fault.kind : undefined;
    if (fault) this.struck = name;
    if (fault === 'refused') throw new Away('refused');
    const answer = await act();
    if (fault === 'died') this.died = true;
    if (fault) throw new Away('unanswered');
    return answer;
  }

  private mortalDatabase(): DatabaseService {
    const { database } = this.world;
    const query =
      (name: '$queryRaw' | '$executeRaw') =>
      (strings: TemplateStringsArray, ...values: unknown[]) =>
        this.step(`outside ${strings[0]!.trim().slice(0, 40)}`, () =>
          database.outside[name](strings, ...values),
        );
    const outside = { $queryRaw: query('$queryRaw'), $executeRaw: query('$executeRaw') };
    return {
      withOrganization: <T>(organizationId: string, work: (tx: Transaction) => Promise<T>) =>
        this.step('transaction', () => database.withOrganization(organizationId, work)),
      withOrganizationSql: <T>(organizationId: string, work: (tx: SqlTransaction) => Promise<T>) =>
        this.step('transaction', () => database.withOrganizationSql(organizationId, work)),
      outside,
    } as unknown as DatabaseService;
  }

  private mortalStorage(): StorageService {
    const { storage } = this.world;
    const step = this.step.bind(this);
    return {
      head: (key: string) => step('head', () => storage.head(key)),
      copy: (from: string, to: string) => step('copy', () => storage.copy(from, to)),
      write: (key: string, body: AsyncIterable<Uint8Array>, size: number) =>
        step('write', () => storage.write(key, body, size)),
      readRange: (key: string, start: number, end: number) =>
        step('range', () => storage.readRange(key, start, end)),
      writeBytes: (key: string, bytes: Uint8Array) => step('write', () => storage.writeBytes(key, bytes)),
      deletePrefix: (prefix: string) => step('delete prefix', () => storage.deletePrefix(prefix)),
      delete: (keys: string[]) =>
        keys.length > 0 ? step('delete', () => storage.delete(keys)) : Promise.resolve(new Set()),
      ping: () => step('ping', () => storage.ping()),
      read: async (key: string) => {
        const found = await step('read', () => storage.read(key));
        return found && { size: found.size, bytes: mortalBytes(found.bytes, step) };
      },
      async *list(prefix: string, range?: object): AsyncGenerator<ObjectFacts[]> {
        const pages = storage.list(prefix, range);
        for (let page = await step('list', () => pages.next()); !page.done; page = await pages.next())
          yield page.value;
      },
    } as unknown as StorageService;
  }

  protected enqueue<Payload>(_job: JobDefinition<Payload>, payloads: Payload[]): Promise<void> {
    for (const payload of payloads as VerifyUploadPayload[]) this.queued.set(payload.uploadId, payload);
    return Promise.resolve();
  }

  private mortalEnqueuer(): Enqueuer {
    const enqueue = this.enqueue.bind(this);
    return new (class extends Enqueuer {
      override enqueue = enqueue;
    })(undefined as unknown as ModuleRef);
  }
}

async function* mortalBytes(
  bytes: AsyncIterable<Uint8Array>,
  step: <T>(name: string, act: () => PromiseLike<T>) => Promise<T>,
): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of bytes) {
    yield first ? await step('body', () => Promise.resolve(chunk)) : chunk;
    first = false;
  }
}
