import { Controller, Get, Header, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { AcceptsBasic, Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { uuid } from '../../../platform/http/validation.js';
import { UploadQueries } from '../upload.queries.js';
import { type Download, downloadSchema, uploadSchema, type UploadView } from '../uploads.schemas.js';

@ApiTags('Ingestion')
@AcceptsBasic()
@Controller('uploads')
export class UploadsController {
  constructor(private readonly uploads: UploadQueries) {}

  @Get(':id')
  @Header('cache-control', 'no-store')
  @Requires('uploads:read')
  @ApiOperation({ summary: 'What became of one upload, step by step' })
  @ApiResponse({ status: 200, description: 'The ledger record', standardSchema: uploadSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<UploadView> {
    return this.uploads.read(caller, id);
  }

  @Post(':id/complete')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @Requires('uploads:complete')
  @ApiOperation({ summary: 'Say that the PUT is done: optional, it is noticed all the same' })
  @ApiResponse({ status: 200, description: 'It has landed', standardSchema: uploadSchema })
  @ApiResponse({ status: 409, description: 'Nothing has been PUT yet' })
  complete(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<UploadView> {
    return this.uploads.complete(caller, id);
  }

  @Get(':id/download')
  @Header('cache-control', 'no-store')
  @Requires('uploads:download')
  @ApiOperation({ summary: 'A URL for the verified bytes, exactly as they were PUT' })
  @ApiResponse({ status: 200, description: 'Good for 900 s', standardSchema: downloadSchema })
  @ApiResponse({
    status: 403,
    description: 'Its metadata names the patient: the scope originals:read is needed',
  })
  download(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<Download> {
    return this.uploads.download(caller, id);
  }
}
