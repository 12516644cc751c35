import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '../../platform/config/config.module.js';
import type { ConfigValues } from '../../platform/config/config.schema.js';
import { unavailable } from '../../platform/errors/application-error.js';
import { incompleteBody } from '../../platform/http/raw-body.js';

/** Longest somebody waits, in milliseconds, and how many may: of all, and of one principal. */
const WAIT_LIMIT_MS = 120_000;
const MAX_WAITING = 1000;
const MAX_WAITING_OF_ONE = 100;

interface Waiting {
  principalId: string;
  admit(): void;
}

/**
 * Lets a few uploads at a time be held in memory; the bodies of the others stay unread, with the network. One principal
 * gets half of the room and a tenth of the waiting room at most, so that a slow or hostile one leaves the rest to others.
 * Of those who wait, who has the fewest places gets the next one: many accounts in a row do not keep a newcomer waiting.
 */
@Injectable()
export class Admission {
  private readonly waiting: Waiting[] = [];
  private readonly admitted = new Map<string, number>();
  private total = 0;
  private readonly room: number;
  private readonly share: number;

  constructor(@Inject(CONFIG) config: Pick<ConfigValues, 'FILES_UPLOADS_AT_ONCE'>) {
    this.room = config.FILES_UPLOADS_AT_ONCE;
    this.share = Math.ceil(this.room / 2);
  }

  /** Whether somebody waits only because others have all the room. */
  get crowded(): boolean {
    return this.waiting.some(({ principalId }) => this.held(principalId) < this.share);
  }

  /**
   * Runs `work` once there is room.
   * @param body of the request; when it is closed nobody waits any more. Of one that is longer than its stream's buffer
   * a hang-up shows only when it is read.
   * @throws unavailable when there is no room for too long, bad_request when the request has gone
   */
  async run<T>(principalId: string, work: () => Promise<T>, body?: Readable): Promise<T> {
    await this.enter(principalId, body);
    try {
      return await work();
    } finally {
      this.leave(principalId);
    }
  }

  private enter(principalId: string, body?: Readable): Promise<void> {
    if (body?.destroyed) throw hungUp();
    if (this.mayEnter(principalId)) return Promise.resolve(this.count(principalId, 1));
    if (this.isFull(principalId)) throw unavailable(new Error('too many uploads wait'));
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        body?.off('close', goAway);
        this.waiting.splice(this.waiting.indexOf(one), 1);
      };
      const goAway = () => {
        stop();
        reject(hungUp());
      };
      const one: Waiting = {
        principalId,
        admit: () => {
          stop();
          this.count(principalId, 1);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        stop();
        reject(unavailable(new Error('no room for the upload in time')));
      }, WAIT_LIMIT_MS);
      body?.once('close', goAway);
      this.waiting.push(one);
    });
  }

  /** One place at most is free for those who wait: there was none for any of them before. */
  private leave(principalId: string): void {
    this.count(principalId, -1);
    let next: Waiting | undefined;
    for (const one of this.waiting)
      if (
        this.mayEnter(one.principalId) &&
        (!next || this.held(one.principalId) < this.held(next.principalId))
      )
        next = one;
    next?.admit();
  }

  private mayEnter(principalId: string): boolean {
    return this.total < this.room && this.held(principalId) < this.share;
  }

  private isFull(principalId: string): boolean {
    const own = this.waiting.filter((one) => one.principalId === principalId).length;
    return this.waiting.length >= MAX_WAITING || own >= MAX_WAITING_OF_ONE;
  }

  /** Places that the principal has. */
  private held(principalId: string): number {
    return this.admitted.get(principalId) ?? 0;
  }

  private count(principalId: string, change: 1 | -1): void {
    this.total += change;
    const held = this.held(principalId) + change;
    if (held === 0) this.admitted.delete(principalId);
    else this.admitted.set(principalId, held);
  }
}

const hungUp = () => incompleteBody(new Error('the request has gone'));
