import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { invalidToken } from '../../auth/auth.errors.js';
import { AccessService } from '../access.service.js';
import { forbidden, scopeNeeded } from '../access.errors.js';

/** Decides whether the caller may perform the route's operation at all; which rows, the service decides by ability. */
@Injectable()
export class AuthorizationGuard implements CanActivate {
  constructor(private readonly access: AccessService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { context: known } = context.switchToHttp().getRequest<FastifyRequest>();
    const { credential, operation, info } = known;
    if (!operation) return false; // never reached: the boot check refuses such a route
    if (!credential) return true; // public: the guard before us demanded a credential of all others

    const { principal, ability, scopes, isPatient } = await this.access.grantsOf(credential);
    if (known.portal && !isPatient) throw invalidToken(); // staff has a door of its own
    known.principal = principal;
    known.caller = {
      principal,
      ability,
      scopes,
      request: info,
      confirm: async () => void (await this.access.grantsOf(credential)),
      ...(credential.expiresAt && { expiresAt: credential.expiresAt }),
    };
    if (operation.scope && !scopes.includes(operation.scope)) throw scopeNeeded(operation.scope);
    if (!ability.can(operation.name, operation.subject)) throw forbidden(operation);
    return true;
  }
}
