import { validationError } from '../../platform/errors/application-error.js';
import type { NewOrderBody, NewOrderQuery } from './ingestion.schemas.js';
import type { NewOrder } from './ingestion.service.js';

/** Query and body of one request as one order. @throws validation_error where they say different things */
export function toNewOrder(query: NewOrderQuery, body: NewOrderBody): NewOrder {
  const id = body.order_id ?? query.order_id;
  if (query.order_id !== undefined && query.order_id !== id)
    throw validationError([{ path: 'order_id', message: 'differs between query and body' }]);
  const inBody = Object.keys(body.metadata).length > 0;
  if (inBody && query.metadata !== undefined)
    throw validationError([{ path: 'metadata', message: 'is given in query and body: choose one' }]);
  return { ...(id !== undefined && { id }), metadata: query.metadata ?? body.metadata };
}
