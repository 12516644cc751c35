import { Module } from '@nestjs/common';
import './results.policy.js';
import { OrdersModule } from '../orders/orders.module.js';
import { UploadsModule } from '../uploads/uploads.module.js';
import { ResultQueries } from './result.queries.js';
import { ResultsService } from './results.service.js';

@Module({
  imports: [OrdersModule, UploadsModule],
  providers: [ResultsService, ResultQueries],
  exports: [ResultsService, ResultQueries],
})
export class ResultsModule {}
