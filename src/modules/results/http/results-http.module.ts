import { Module } from '@nestjs/common';
import { ResultsModule } from '../results.module.js';
import { ResultsController } from './results.controller.js';

@Module({ imports: [ResultsModule], controllers: [ResultsController] })
export class ResultsHttpModule {}
