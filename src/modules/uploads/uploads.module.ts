import { Module } from '@nestjs/common';
import { LandingService } from './landing.service.js';
import { UploadsService } from './uploads.service.js';

@Module({ providers: [UploadsService, LandingService], exports: [UploadsService, LandingService] })
export class UploadsModule {}
