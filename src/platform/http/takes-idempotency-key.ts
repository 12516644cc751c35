import { ApiHeader } from '@nestjs/swagger';

/** Says in the OpenAPI document that a route takes an `Idempotency-Key`; its service sees to it (idempotency.ts). */
export const TakesIdempotencyKey = (): MethodDecorator =>
  ApiHeader({
    name: 'Idempotency-Key',
    required: false,
    description: 'Makes a retry create nothing twice, for 24 h',
  });
