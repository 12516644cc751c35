import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { operationNamed } from '../../../platform/authorization/operations.js';
import type { Credential, Portal } from '../../../platform/authorization/principal.js';
import { BASIC, OPERATION, PORTAL, PUBLIC } from '../../../platform/authorization/requires.js';
import { Clock } from '../../../platform/clock/clock.js';
import { sha256 } from '../../../platform/crypto/master-key.js';
import { ApplicationError } from '../../../platform/errors/application-error.js';
import { addressKey } from '../../../platform/http/address-key.js';
import type { Route } from '../../../platform/http/route-table.js';
import { API_KEY_PREFIX, ApiKeysService } from '../api-keys.service.js';
import { credentialRequired, invalidToken, portalKeyMissing } from '../auth.errors.js';
import { readClientCredentials } from '../client-credentials.js';
import { FailureLimiter } from '../failure-limiter.js';
import { PortalKeysService } from '../portal-keys.service.js';
import { TokensService } from '../tokens.service.js';

/** How long a checked credential is taken as checked, in milliseconds: revocations are seen within a second. */
const TRUST_MS = 500;
const MAX_TRUSTED = 20_000;

/** Finds out who calls. Every route passes here; public ones only get their operation's name. */
@Injectable()
export class AuthenticationGuard extends AuthGuard('access-token') {
  /** By the hash of the token or the Basic header, so that a heap dump holds neither. */
  private readonly trusted = new LRUCache<string, Credential>({ max: MAX_TRUSTED, ttl: TRUST_MS });

  constructor(
    private readonly reflector: Reflector,
    private readonly apiKeys: ApiKeysService,
    private readonly tokens: TokensService,
    private readonly portalKeys: PortalKeysService,
    private readonly limiter: FailureLimiter,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const operation = this.reflector.get<string | undefined>(OPERATION, context.getHandler());
    request.context.operation = operation === undefined ? undefined : operationNamed(operation);
    const places = [context.getHandler(), context.getClass()];
    const marked = (key: string): boolean =>
      this.reflector.getAllAndOverride<boolean | undefined>(key, places) ?? false;
    await this.admit(request, context, {
      public: marked(PUBLIC),
      basic: marked(BASIC),
      portal: marked(PORTAL),
    });
    return true;
  }

  /** Also called before the body of a request is read: a stranger's megabytes are not worth parsing. */
  async admit(
    request: FastifyRequest,
    context: ExecutionContext,
    route: Pick<Route, 'public' | 'basic' | 'portal'>,
  ): Promise<void> {
    const known = request.context;
    if (route.portal) known.portal ??= await this.portalOf(request);
    if (!route.public && !known.credential) await this.authenticate(request, context, route.basic);
  }

  private portalOf({ headers, context }: FastifyRequest): Promise<Portal> {
    const key = headers['cv-api-key'] ?? headers['x-api-key'];
    if (typeof key !== 'string' || key === '') throw portalKeyMissing();
    return this.limiter.count([addressKey(context.info.ip)], () => this.portalKeys.resolve(key));
  }

  private async authenticate(
    request: FastifyRequest,
    context: ExecutionContext,
    basic: boolean,
  ): Promise<void> {
    request.context.basic = basic;
    const header = request.headers.authorization;
    if (header === undefined) throw credentialRequired(basic);
    const byBasic = basic && !isForeignPage(request) && /^basic(?: |$)/i.test(header);
    const shown = byBasic ? header : bearerOf(header);
    const digest = sha256(shown).toString('base64'); // a token has no blank in it: no Basic header is one
    const credential =
      this.trusted.get(digest) ??
      (await (byBasic
        ? this.tokens.authenticate(readClientCredentials(header), request.context.info.ip)
        : this.check(context, request, shown)));
    if (credential.expiresAt && credential.expiresAt <= this.clock.now()) throw invalidToken();
    this.trusted.set(digest, credential, { noUpdateTTL: true });
    const { kind, principalId, organizationId } = credential;
    const { portal } = request.context;
    if (portal && (kind !== 'user' || organizationId !== portal.organizationId)) throw invalidToken();
    request.context.credential = credential;
    request.context.principal = { kind, id: principalId, organizationId, label: '' };
  }

  private check(context: ExecutionContext, request: FastifyRequest, token: string): Promise<Credential> {
    return this.limiter.count([addressKey(request.context.info.ip)], async () => {
      if (token.startsWith(API_KEY_PREFIX)) return this.apiKeys.authenticate(token);
      await super.canActivate(context);
      return (request as unknown as { user: Credential }).user;
    });
  }

  /**
   * Called by passport's adapter with the outcome of the strategy. Passport reports a failing key lookup as a refused
   * token, in `info`: only what really speaks against the token may be a 401, or an outage would sign everybody out.
   */
  override handleRequest<T>(error: unknown, credential: T | false, info: unknown): T {
    if (credential) return credential;
    const reason = error ?? info;
    if (reason instanceof Error && !isRefusal(reason)) throw reason;
    throw invalidToken();
  }
}

/** A browser that remembers Basic credentials sends them with whatever another site's page asks for (Fetch Metadata). */
const isForeignPage = ({ headers }: FastifyRequest): boolean =>
  ['cross-site', 'same-site'].includes(String(headers['sec-fetch-site']));

/** Errors of jsonwebtoken that judge the token itself. */
const REFUSALS = new Set(['JsonWebTokenError', 'TokenExpiredError', 'NotBeforeError']);

function isRefusal(reason: Error): boolean {
  return reason instanceof ApplicationError ? reason.status === 401 : REFUSALS.has(reason.name);
}

/** RFC 6750, section 2.1: the header only; a token in a query would end up in logs. */
function bearerOf(header: string): string {
  const [, token] = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(header) ?? [];
  if (!token) throw invalidToken();
  return token;
}
