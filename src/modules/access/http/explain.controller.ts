import { Body, Controller, Get, HttpCode, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import {
  type EffectiveRights,
  type Explain,
  explainSchema,
  type Explanation,
  explanationSchema,
  type RightsQuery,
  rightsQuerySchema,
  rightsSchema,
} from '../explain.schemas.js';
import { ExplainService } from '../explain.service.js';

@ApiTags('Access')
@Controller('api/v1/admin/access')
export class ExplainController {
  constructor(private readonly access: ExplainService) {}

  @Post('explain')
  @HttpCode(200)
  @Requires('access:explain')
  @ApiOperation({ summary: 'Whether a principal may do one thing, and by or for want of which rule' })
  @ApiResponse({
    status: 200,
    description: 'What enforcement says, and why',
    standardSchema: explanationSchema,
  })
  explain(
    @CurrentCaller() caller: Caller,
    @Body({ schema: explainSchema }) asked: Explain,
  ): Promise<Explanation> {
    return this.access.explain(caller, asked);
  }

  @Get('rights')
  @Requires('access:rights')
  @ApiOperation({ summary: 'All that a principal may do, or the members of a group, by binding' })
  @ApiResponse({ status: 200, description: 'Effective rights', standardSchema: rightsSchema })
  rights(
    @CurrentCaller() caller: Caller,
    @Query({ schema: rightsQuerySchema }) query: RightsQuery,
  ): Promise<EffectiveRights> {
    return this.access.rights(caller, query);
  }
}
