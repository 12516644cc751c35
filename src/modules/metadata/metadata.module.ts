import { Module } from '@nestjs/common';
import './metadata.policy.js';
import { OverlaysService } from './overlays.service.js';

@Module({ providers: [OverlaysService], exports: [OverlaysService] })
export class MetadataModule {}
