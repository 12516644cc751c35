import {
  Body,
  Controller,
  Get,
  Header,
  Headers,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Redirect,
  Req,
  Res,
} from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ShareLink } from '../../../generated/prisma/client.js';
import { Public } from '../../../platform/authorization/requires.js';
import { CONFIG } from '../../../platform/config/config.module.js';
import type { ConfigValues } from '../../../platform/config/config.schema.js';
import { ApplicationError } from '../../../platform/errors/application-error.js';
import { MARK_SVG } from '../../../platform/http/mark.html.js';
import { uuid } from '../../../platform/http/validation.js';
import { ShareLinksService, UNLOCK_LIFETIME_MS } from '../../sharing/share-links.service.js';
import { SharedExamsService } from '../shared-exams.service.js';
import { PAGE_CSP } from './page-csp.js';
import { SHARE_CSS } from './share-page.css.js';
import { passwordPage, sharePage } from './share-page.html.js';

const HTML = 'text/html; charset=utf-8';

const pageSchema = z.object({ page: z.coerce.number().int().min(1).max(1000).catch(1).default(1) });
const passwordSchema = z.object({ password: z.string().max(128).default('') }).default({ password: '' });

/** The pages behind a share link. `viewer` shows the same page until the 3D viewer is there. */
@ApiExcludeController()
@Controller()
export class SharePageController {
  constructor(
    @Inject(CONFIG) private readonly config: ConfigValues,
    private readonly links: ShareLinksService,
    private readonly shared: SharedExamsService,
  ) {}

  @Get(['share/:token', 'viewer/:token'])
  @Header('content-type', HTML)
  @Header('cache-control', 'no-store')
  @Header('content-security-policy', PAGE_CSP)
  @Public('shares:open')
  async open(
    @Param('token') token: string,
    @Query({ schema: pageSchema }) { page }: z.infer<typeof pageSchema>,
    @Headers('cookie') cookies: string | undefined,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const link = await this.enter(token, request);
    if (!this.links.isUnlocked(link, readCookie(cookies, this.cookieName(link)))) {
      reply.code(401);
      return passwordPage(token, false).markup;
    }
    return sharePage(await this.shared.open(link, request.context.info), token, page).markup;
  }

  @Post('share/:token')
  @HttpCode(303)
  @Header('cache-control', 'no-store')
  @Header('content-security-policy', PAGE_CSP)
  @Public('shares:unlock')
  async unlock(
    @Param('token') token: string,
    @Body({ schema: passwordSchema }) { password }: z.infer<typeof passwordSchema>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string> {
    const link = await this.enter(token, request);
    try {
      const proof = await this.links.unlock(link, password, request.context.info);
      await this.shared.recordUnlock(link, request.context.info);
      reply.header('set-cookie', this.cookie(link, proof)).header('location', `/share/${token}`);
      return '';
    } catch (error) {
      if (!(error instanceof ApplicationError) || error.code !== 'wrong_password') throw error;
      reply.code(401).type(HTML);
      return passwordPage(token, true).markup;
    }
  }

  @Get('share/:token/files/:id')
  @Redirect(undefined, 302)
  @Header('cache-control', 'no-store')
  @Public('shares:download')
  async download(
    @Param('token') token: string,
    @Param('id', { schema: uuid }) id: string,
    @Headers('cookie') cookies: string | undefined,
    @Req() request: FastifyRequest,
  ): Promise<{ url: string }> {
    const link = await this.enter(token, request);
    if (!this.links.isUnlocked(link, readCookie(cookies, this.cookieName(link)))) {
      throw new ApplicationError('password_required', 401, 'Open the link and enter its password first.');
    }
    return { url: await this.shared.download(link, id, request.context.info) };
  }

  @Get('assets/share.css')
  @Header('content-type', 'text/css; charset=utf-8')
  @Header('cache-control', 'public, max-age=300')
  @Public('shares:assets')
  css(): string {
    return SHARE_CSS;
  }

  @Get('assets/scandock.svg')
  @Header('content-type', 'image/svg+xml')
  @Header('cache-control', 'public, max-age=86400')
  @Public('shares:assets')
  icon(): string {
    return MARK_SVG;
  }

  /** From here on the link is who acts: what is refused stands in its organization's ledger, not in nobody's. */
  private async enter(token: string, request: FastifyRequest): Promise<ShareLink> {
    const link = await this.links.resolve(token);
    const { id, organizationId } = link;
    request.context.principal = { kind: 'share_link', id, organizationId, label: '' };
    if (!request.context.operation?.pathNames)
      request.context.info.about = { resource: { type: 'ShareLink', id } };
    return link;
  }

  private get secure(): boolean {
    return this.config.PUBLIC_URL.startsWith('https:');
  }

  private cookieName({ id }: ShareLink): string {
    return `${this.secure ? '__Host-' : ''}share-${id}`;
  }

  private cookie(link: ShareLink, proof: string): string {
    const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${UNLOCK_LIFETIME_MS / 1000}${this.secure ? '; Secure' : ''}`;
    return `${this.cookieName(link)}=${proof}; ${attributes}`;
  }
}

function readCookie(header: string | undefined, name: string): string | undefined {
  return header
    ?.split(';')
    .map((pair) => pair.trim().split('='))
    .find(([key]) => key === name)?.[1];
}
