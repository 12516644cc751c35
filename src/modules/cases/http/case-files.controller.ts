import { Body, Controller, Get, Header, Param, Patch, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { uuid } from '../../../platform/http/validation.js';
import { CaseFilesService } from '../case-files.service.js';
import {
  type CaseFile,
  type CaseFileDownload,
  caseFileDownloadSchema,
  type CaseFilePage,
  caseFilePageSchema,
  caseFileSchema,
  type Classify,
  classifySchema,
  type ListDocuments,
  listDocumentsSchema,
} from '../cases.schemas.js';

@ApiTags('Cases')
@Controller('api/v1/admin')
export class CaseFilesController {
  constructor(private readonly files: CaseFilesService) {}

  @Get('documents')
  @Requires('documents:list')
  @ApiOperation({ summary: 'Patients’ general documents (Documents → User Documents), newest first' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: caseFilePageSchema })
  documents(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listDocumentsSchema }) query: ListDocuments,
  ): Promise<CaseFilePage> {
    return this.files.documents(caller, query);
  }

  @Get('files/:id')
  @Requires('case-files:read')
  @ApiOperation({ summary: 'An attachment or a document' })
  @ApiResponse({ status: 200, description: 'The file', standardSchema: caseFileSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<CaseFile> {
    return this.files.read(caller, id);
  }

  @Patch('files/:id')
  @Requires('case-files:classify')
  @ApiOperation({ summary: 'Say whether it is health information, and whether its patient may see it' })
  @ApiResponse({ status: 200, description: 'The file', standardSchema: caseFileSchema })
  classify(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: classifySchema }) input: Classify,
  ): Promise<CaseFile> {
    return this.files.classify(caller, id, input);
  }

  @Get('files/:id/download')
  @Header('cache-control', 'no-store')
  @Requires('case-files:download')
  @ApiOperation({ summary: 'A presigned GET for an attachment or a document' })
  @ApiResponse({ status: 200, description: 'Good for 900 s', standardSchema: caseFileDownloadSchema })
  download(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
  ): Promise<CaseFileDownload> {
    return this.files.download(caller, id);
  }
}
