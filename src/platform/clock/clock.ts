import { Injectable } from '@nestjs/common';

/** The only source of time in the domain, so that tests move it instead of waiting. */
@Injectable()
export class Clock {
  now(): Date {
    return new Date();
  }
}
