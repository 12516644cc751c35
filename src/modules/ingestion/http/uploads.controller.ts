import { Body, Controller, Get, Header, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../../../platform/authorization/principal.js';
import { AcceptsBasic, Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { SingleUploadsService } from '../../uploads/single-uploads.service.js';
import {
  type DeclarationInput,
  declarationSchema,
  type IssuedUploadUrl,
  issuedUploadSchema,
} from '../ingestion.schemas.js';
import { toDeclaration } from '../declaration.js';

const SUMMARY = 'A presigned PUT for one object: DICOM, or a ZIP with a study or a NIfTI set';

@ApiTags('Ingestion')
@AcceptsBasic()
@Controller()
export class IngestionUploadsController {
  constructor(private readonly uploads: SingleUploadsService) {}

  @Get('upload')
  @Header('cache-control', 'no-store')
  @Requires('uploads:issue')
  @ApiOperation({ summary: SUMMARY })
  @ApiResponse({ status: 200, description: 'Where to PUT it', standardSchema: issuedUploadSchema })
  issueByGet(
    @CurrentCaller() caller: Caller,
    @Query({ schema: declarationSchema }) query: DeclarationInput,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<IssuedUploadUrl> {
    return this.issue(caller, query, reply);
  }

  @Post('upload')
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  @Requires('uploads:issue')
  @ApiOperation({ summary: `${SUMMARY}; declared in the body` })
  @ApiBody({ required: false })
  @ApiResponse({ status: 201, description: 'Where to PUT it', standardSchema: issuedUploadSchema })
  issueByPost(
    @CurrentCaller() caller: Caller,
    @Query({ schema: declarationSchema }) query: DeclarationInput,
    @Body({ schema: declarationSchema.nullish() }) body: DeclarationInput | null | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<IssuedUploadUrl> {
    return this.issue(caller, { ...query, ...body }, reply);
  }

  private async issue(
    caller: Caller,
    input: DeclarationInput,
    reply: FastifyReply,
  ): Promise<IssuedUploadUrl> {
    const { uploadId, key, request } = await this.uploads.issue(caller, toDeclaration(input));
    reply.header('x-upload-id', uploadId);
    return { url: request.url, key };
  }
}
