import { SetMetadata } from '@nestjs/common';

/** Metadata key of the operation a route performs. */
export const OPERATION = 'scandock:operation';
/** Metadata key that marks a route open to callers without a credential. */
export const PUBLIC = 'scandock:public';
/** Metadata key that marks a route on which HTTP Basic is a credential as well. */
export const BASIC = 'scandock:basic';
/** Metadata key that marks a route of a patient's portal. */
export const PORTAL = 'scandock:portal';

/** The route performs `operation`: its scope and the caller's abilities are checked before the handler runs. */
export const Requires = (operation: string): MethodDecorator => SetMetadata(OPERATION, operation);

/** The route is open; `operation` names it in log, metric and audit all the same. */
export function Public(operation: string): MethodDecorator {
  return (target, key, descriptor) => {
    SetMetadata(OPERATION, operation)(target, key, descriptor);
    SetMetadata(PUBLIC, true)(target, key, descriptor);
  };
}

/**
 * The route, or every route of the controller, takes HTTP Basic with a client's id and secret besides bearer tokens: for
 * generic clients (`https://id:secret@host`, a `.netrc`) that can send nothing else.
 */
export const AcceptsBasic = (): ClassDecorator & MethodDecorator => SetMetadata(BASIC, true);

/**
 * The route, or every route of the controller, belongs to a portal: a portal's key (`cv-api-key`, or `x-api-key`) says which
 * organization it speaks for. A bearer token, where one is required, must be that of a user of that organization.
 */
export const NeedsPortalKey = (): ClassDecorator & MethodDecorator => SetMetadata(PORTAL, true);
