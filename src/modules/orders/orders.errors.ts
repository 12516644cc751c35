import { ApplicationError } from '../../platform/errors/application-error.js';

export const orderExists = (): ApplicationError =>
  new ApplicationError('order_exists', 409, 'There is an order with this id already.');

export const orderClosed = (): ApplicationError =>
  new ApplicationError(
    'order_closed',
    409,
    'The order is closed: it takes no more uploads and no more metadata.',
  );
