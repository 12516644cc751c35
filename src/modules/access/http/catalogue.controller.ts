import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { Requires } from '../../../platform/authorization/requires.js';
import { catalogue } from '../catalogue.js';
import { type Catalogue, catalogueSchema } from '../catalogue.schemas.js';

@ApiTags('Access')
@Controller('api/v1/admin/access/catalogue')
export class CatalogueController {
  @Get()
  @Requires('access:catalogue')
  @ApiOperation({
    summary: 'What rules can be made of: operations, subjects, conditions, limits, built-in roles',
  })
  @ApiResponse({ status: 200, description: 'The catalogue', standardSchema: catalogueSchema })
  read(): Catalogue {
    return catalogue();
  }
}
