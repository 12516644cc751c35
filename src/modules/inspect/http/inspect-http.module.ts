import { Module } from '@nestjs/common';
import { InspectModule } from '../inspect.module.js';
import { InspectController } from './inspect.controller.js';

@Module({ imports: [InspectModule], controllers: [InspectController] })
export class InspectHttpModule {}
