import { Body, Controller, Get, Header, Headers, HttpCode, Param, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import { CompletionService } from '../completion.service.js';
import { InspectQueries } from '../inspect.queries.js';
import {
  type CompleteFile,
  completeFileSchema,
  type Completion,
  completionSchema,
  type FileDownload,
  fileDownloadSchema,
  inspectFileSchema,
  type InspectFileView,
  type PresignedFile,
  presignedFileSchema,
  type PresignFile,
  presignFileSchema,
  uploadedFileSchema,
} from '../inspect.schemas.js';
import { InspectService } from '../inspect.service.js';

@ApiTags('Inspect files')
@Controller('api/inspect/v1/file')
export class InspectController {
  constructor(
    private readonly files: InspectService,
    private readonly completion: CompletionService,
    private readonly queries: InspectQueries,
  ) {}

  @Post('upload/presigned')
  @HttpCode(201)
  @Header('cache-control', 'no-store')
  @Requires('inspect:presign')
  @ApiOperation({ summary: 'Declare a file and get a presigned PUT, unless its content is there already' })
  @TakesIdempotencyKey()
  @ApiResponse({ status: 200, description: 'Uploaded before', standardSchema: uploadedFileSchema })
  @ApiResponse({ status: 201, description: 'A URL, good for 900 s', standardSchema: presignedFileSchema })
  async presign(
    @CurrentCaller() caller: Caller,
    @Body({ schema: presignFileSchema }) declared: PresignFile,
    @Headers('idempotency-key') key: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PresignedFile> {
    const presigned = await this.files.presign(caller, declared, key);
    if (!('presignedURL' in presigned.data)) reply.status(200);
    return presigned;
  }

  @Post('upload/complete')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('inspect:complete')
  @ApiOperation({ summary: 'Have a file that was PUT verified; the same answer each time' })
  @ApiResponse({ status: 200, description: 'Verified, or on its way', standardSchema: completionSchema })
  @ApiResponse({ status: 400, description: 'Not there, or not what was declared' })
  complete(
    @CurrentCaller() caller: Caller,
    @Body({ schema: completeFileSchema }) { id }: CompleteFile,
  ): Promise<Completion> {
    return this.completion.complete(caller, id);
  }

  @Get(':id')
  @Header('cache-control', 'no-store')
  @Requires('inspect:read')
  @ApiOperation({ summary: 'A file as it was declared, and whether it is complete' })
  @ApiResponse({ status: 200, description: 'The file', standardSchema: inspectFileSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<InspectFileView> {
    return this.queries.read(caller, id);
  }

  @Get(':id/download')
  @Header('cache-control', 'no-store')
  @Requires('inspect:download')
  @ApiOperation({ summary: 'A presigned GET for the verified content' })
  @ApiResponse({ status: 200, description: 'A URL, good for 900 s', standardSchema: fileDownloadSchema })
  @ApiResponse({ status: 400, description: 'Not complete yet' })
  download(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<FileDownload> {
    return this.queries.download(caller, id);
  }
}
