import { describe, expect, it } from '@jest/globals';
import { BadRequestException, HttpException, NotFoundException, UnauthorizedException } from '@nestjs/common';
import { Prisma } from '../../generated/prisma/client.js';
import { ApplicationError, notFound } from './application-error.js';
import { isTransient, toApplicationError } from './translate-error.js';

const withCode = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });
const prisma = (code: string): Error =>
  new Prisma.PrismaClientKnownRequestError('Patient Zebulon', { code, clientVersion: '7' });

describe('what is away or busy', () => {
  it.each([
    withCode('ECONNREFUSED'),
    withCode('ECONNRESET'),
    withCode('ETIMEDOUT'),
    withCode('EAI_AGAIN'),
    withCode('EPIPE'),
    withCode('08006'),
    withCode('53300'),
    withCode('53100'),
    withCode('57P01'),
    withCode('25006'),
    withCode('40001'),
    prisma('P1001'),
    prisma('P2024'),
    prisma('P2028'),
    prisma('P2034'),
    new Prisma.PrismaClientInitializationError('no server', '7'),
    new Error('Connection terminated unexpectedly'),
    new Error('timeout exceeded when trying to connect'),
    Object.assign(new Error('slow'), { name: 'TimeoutError' }),
    Object.assign(new Error('bucket'), { $metadata: { httpStatusCode: 503 } }),
    Object.assign(new Error('bucket'), { $metadata: { httpStatusCode: 429 } }),
    new Error('outer', { cause: withCode('ECONNREFUSED') }),
    new Error('outer', { cause: new Error('inner', { cause: withCode('57P03') }) }),
    Object.assign(new Error('raw'), { cause: { originalCode: '57P01' } }),
    Object.assign(new Error('raw'), { meta: { driverAdapterError: withCode('ECONNRESET') } }),
  ])('is a 503 that says to try again (%#)', (error) => {
    expect(isTransient(error)).toBe(true);
    const told = toApplicationError(error);
    expect(told).toMatchObject({ status: 503, code: 'unavailable', headers: { 'retry-after': '2' } });
    expect(told.message).not.toMatch(/Zebulon|bucket|Connection/);
    expect(told.cause).toBe(error);
  });

  it.each([
    new Error('no'),
    withCode('23505'),
    withCode('42501'),
    withCode('22008'),
    withCode('ENOENT'),
    prisma('P2002'),
    Object.assign(new Error('bucket'), { $metadata: { httpStatusCode: 404 } }),
    'ECONNREFUSED',
    null,
    undefined,
    { code: 'ECONNREFUSED' },
    notFound(),
  ])('is not: %#', (error) => {
    expect(isTransient(error)).toBe(false);
  });

  it('is looked for a few causes deep, and a circle ends', () => {
    const circle = new Error('a');
    circle.cause = new Error('b', { cause: circle });
    expect(isTransient(circle)).toBe(false);
  });
});

describe('every other error', () => {
  it('of ours stays what it is', () => {
    const error = notFound();
    expect(toApplicationError(error)).toBe(error);
  });

  it.each([
    [new NotFoundException('Cannot GET /share/secret-token'), 404, 'not_found'],
    [new BadRequestException('Unexpected token Z in "Zebulon"'), 400, 'bad_request'],
    [new HttpException('x', 415), 415, 'unsupported_media_type'],
    [new UnauthorizedException('x'), 401, 'bad_request'],
    [Object.assign(new Error('secret-token is too large'), { statusCode: 413 }), 413, 'payload_too_large'],
    [Object.assign(new Error('x'), { statusCode: 418 }), 418, 'bad_request'],
  ])('of the framework keeps its status and loses its words (%#)', (error, status, code) => {
    const told = toApplicationError(error);
    expect({ status: told.status, code: told.code }).toEqual({ status, code });
    expect(told.message).not.toMatch(/secret|Zebulon|Cannot/);
  });

  it.each([
    new Error('password authentication failed for user "x"'),
    new TypeError('Cannot read properties of undefined'),
    prisma('P2002'),
    new HttpException('x', 500),
    new HttpException('x', 302),
    Object.assign(new Error('x'), { statusCode: 599 }),
    Object.assign(new Error('x'), { statusCode: '404' }),
    'a string',
    undefined,
    null,
  ])('is a 500 that tells nothing (%#)', (error) => {
    const told = toApplicationError(error);
    expect(told).toBeInstanceOf(ApplicationError);
    expect({ status: told.status, code: told.code, message: told.message, details: told.details }).toEqual({
      status: 500,
      code: 'internal_error',
      message: 'Something went wrong on our side.',
      details: [],
    });
  });
});
