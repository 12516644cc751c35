import { SetMetadata } from '@nestjs/common';

/** Metadata key of the operation a route performs. */
export const OPERATION = 'scandock:operation';
/** Metadata key that marks a route open to callers without a credential. */
export const PUBLIC = 'scandock:public';

/** The route performs `operation`: its scope and the caller's abilities are checked before the handler runs. */
export const Requires = (operation: string): MethodDecorator => SetMetadata(OPERATION, operation);

/** The route is open; `operation` names it in log, metric and audit all the same. */
export function Public(operation: string): MethodDecorator {
  return (target, key, descriptor) => {
    SetMetadata(OPERATION, operation)(target, key, descriptor);
    SetMetadata(PUBLIC, true)(target, key, descriptor);
  };
}
