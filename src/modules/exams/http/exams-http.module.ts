import { Module } from '@nestjs/common';
import { ExamsModule } from '../exams.module.js';
import { ExamsController } from './exams.controller.js';
import { SharePageController } from './share-page.controller.js';

@Module({ imports: [ExamsModule], controllers: [ExamsController, SharePageController] })
export class ExamsHttpModule {}
