import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import { uuid } from '../../../platform/http/validation.js';
import { DeletionsService } from '../deletions.service.js';
import {
  deletionSchema,
  type DeletionView,
  type Purge,
  purgeSchema,
  requestDeletionSchema,
} from '../tenants.schemas.js';

@ApiTags('Organizations')
@Controller('api/v1/admin/organizations/:id')
export class DeletionsController {
  constructor(private readonly deletions: DeletionsService) {}

  @Post('deletion')
  @HttpCode(202)
  @Requires('organizations:request-deletion')
  @ApiOperation({ summary: 'Disable an organization and export all its rows (platform only)' })
  @ApiResponse({ status: 202, description: 'The deletion', standardSchema: deletionSchema })
  request(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: requestDeletionSchema }) _: object,
  ): Promise<DeletionView> {
    return this.deletions.request(caller, id);
  }

  @Get('deletion')
  @Header('cache-control', 'no-store')
  @Requires('organizations:read-deletion')
  @ApiOperation({ summary: 'How far a deletion is, and where its export can be fetched (platform only)' })
  @ApiResponse({ status: 200, description: 'The deletion', standardSchema: deletionSchema })
  read(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<DeletionView> {
    return this.deletions.read(caller, id);
  }

  @Delete('deletion')
  @HttpCode(204)
  @Requires('organizations:cancel-deletion')
  @ApiOperation({ summary: 'Call a deletion off before its purge; it stays disabled (platform only)' })
  @ApiResponse({ status: 204, description: 'Called off' })
  cancel(@CurrentCaller() caller: Caller, @Param('id', { schema: uuid }) id: string): Promise<void> {
    return this.deletions.cancel(caller, id);
  }

  @Post('purge')
  @HttpCode(202)
  @Requires('organizations:purge')
  @ApiOperation({ summary: 'Remove an exported organization’s bytes and rows for good (platform only)' })
  @ApiResponse({ status: 202, description: 'The deletion', standardSchema: deletionSchema })
  purge(
    @CurrentCaller() caller: Caller,
    @Param('id', { schema: uuid }) id: string,
    @Body({ schema: purgeSchema }) input: Purge,
  ): Promise<DeletionView> {
    return this.deletions.purge(caller, id, input);
  }
}
