import { Module } from '@nestjs/common';
import { StudiesModule } from '../studies.module.js';
import { StudiesController } from './studies.controller.js';

@Module({ imports: [StudiesModule], controllers: [StudiesController] })
export class StudiesHttpModule {}
