import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Param,
  Patch,
  Post,
  Query,
} from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { NeedsPortalKey, Requires } from '../../../platform/authorization/requires.js';
import { TakesRawBody, UnreadBody, type WaitingBody } from '../../../platform/http/raw-body.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { TakesIdempotencyKey } from '../../../platform/http/takes-idempotency-key.js';
import { uuid } from '../../../platform/http/validation.js';
import { DONE, enveloped, type Enveloped } from '../../auth/portal.schemas.js';
import { FileUploadsService } from '../file-uploads.service.js';
import {
  type Deleted,
  deletedSchema,
  type FileDownload,
  fileDownloadEnvelope,
  type FilePage,
  filePageEnvelope,
  type ListFiles,
  listFilesSchema,
  type PortalFile,
  portalFileEnvelope,
  type Rename,
  renameSchema,
  uploadBodyDocument,
  type UploadedFile,
  uploadedSchema,
} from '../patient-files.schemas.js';
import { PatientFilesService } from '../patient-files.service.js';

@ApiTags('Patient files')
@NeedsPortalKey()
@Controller('api/v1/users/me/files')
export class PatientFilesController {
  constructor(
    private readonly uploads: FileUploadsService,
    private readonly files: PatientFilesService,
  ) {}

  @Post('upload')
  @HttpCode(200)
  @Requires('files:upload')
  @TakesRawBody('application/json')
  @ApiOperation({ summary: 'Upload a file in base64, to a case or as a general document' })
  @TakesIdempotencyKey()
  @ApiConsumes('application/json')
  @ApiBody({ schema: uploadBodyDocument })
  @ApiResponse({
    status: 200,
    description: 'Verified, and listed from now on',
    standardSchema: uploadedSchema,
  })
  @ApiResponse({ status: 400, description: 'Not canonical base64, or not of its type' })
  @ApiResponse({ status: 403, description: 'A case that is not the patient’s, or is closed' })
  @ApiResponse({ status: 413, description: 'Larger than this server takes' })
  @ApiResponse({ status: 500, description: 'The bucket did not take it; nothing is left of it' })
  async upload(
    @CurrentCaller() caller: Caller,
    @UnreadBody() body: WaitingBody,
    @Headers('idempotency-key') key: string | undefined,
  ): Promise<Enveloped<UploadedFile>> {
    return enveloped(await this.uploads.upload(caller, body, key));
  }

  @Get()
  @Requires('files:list')
  @ApiOperation({
    summary: 'Attachments on the patient’s cases, newest first; general documents are not listed',
  })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: filePageEnvelope })
  async list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listFilesSchema }) query: ListFiles,
  ): Promise<Enveloped<FilePage>> {
    return enveloped(await this.files.list(caller, query));
  }

  @Get(':id/metadata')
  @Requires('files:read')
  @ApiOperation({ summary: 'One file, and who uploaded it' })
  @ApiResponse({ status: 200, description: 'The file', standardSchema: portalFileEnvelope })
  async read(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<Enveloped<PortalFile>> {
    return enveloped(await this.files.read(caller, id));
  }

  @Patch(':id/metadata')
  @Requires('files:rename')
  @ApiOperation({ summary: 'Rename a file the patient uploaded' })
  @ApiResponse({ status: 200, description: 'The file', standardSchema: portalFileEnvelope })
  async rename(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: renameSchema }) { fileName }: Rename,
  ): Promise<Enveloped<PortalFile>> {
    return enveloped(await this.files.rename(caller, id, fileName));
  }

  @Get(':id/download')
  @Header('cache-control', 'no-store')
  @Requires('files:download')
  @ApiOperation({ summary: 'A presigned GET for the file' })
  @ApiResponse({ status: 200, description: 'Good for 900 s', standardSchema: fileDownloadEnvelope })
  async download(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<Enveloped<FileDownload>> {
    return enveloped(await this.files.download(caller, id));
  }

  @Delete(':id')
  @Requires('files:delete')
  @ApiOperation({ summary: 'Delete a file the patient uploaded' })
  @ApiResponse({ status: 200, description: 'It is gone', standardSchema: deletedSchema })
  async remove(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<Deleted> {
    await this.files.remove(caller, id);
    return { ...DONE, message: 'File deleted successfully' };
  }
}
