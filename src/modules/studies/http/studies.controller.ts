import { Controller, Get, Header, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { Caller } from '../../../platform/authorization/principal.js';
import { AcceptsBasic, Requires } from '../../../platform/authorization/requires.js';
import { CurrentCaller } from '../../../platform/http/request-context.js';
import {
  type ListStudies,
  listStudiesSchema,
  type ReadStudy,
  readStudySchema,
  type StudyDetail,
  studyDetailSchema,
  type StudyPage,
  studyPageSchema,
  uidSchema,
} from '../studies.schemas.js';
import { StudyQueries } from '../study.queries.js';

@ApiTags('Studies')
@AcceptsBasic()
@Controller('studies')
export class StudiesController {
  constructor(private readonly queries: StudyQueries) {}

  @Get()
  @Header('cache-control', 'no-store')
  @Requires('studies:list')
  @ApiOperation({ summary: 'Studies, newest first; by patient, accession number or UID' })
  @ApiResponse({ status: 200, description: 'A page', standardSchema: studyPageSchema })
  list(
    @CurrentCaller() caller: Caller,
    @Query({ schema: listStudiesSchema }) query: ListStudies,
  ): Promise<StudyPage> {
    return this.queries.list(caller, query);
  }

  @Get(':uid')
  @Header('cache-control', 'no-store')
  @Requires('studies:read')
  @ApiOperation({
    summary: 'A study: its series, what holds for its attributes and from whom, and what disagrees',
  })
  @ApiResponse({ status: 200, description: 'The study', standardSchema: studyDetailSchema })
  detail(
    @CurrentCaller() caller: Caller,
    @Param('uid', { schema: uidSchema }) uid: string,
    @Query({ schema: readStudySchema }) query: ReadStudy,
  ): Promise<StudyDetail> {
    return this.queries.detail(caller, uid, query);
  }
}
