import { Module } from '@nestjs/common';
import './sharing.policy.js';
import { AuthModule } from '../auth/auth.module.js';
import { ShareLinksService } from './share-links.service.js';

@Module({ imports: [AuthModule], providers: [ShareLinksService], exports: [ShareLinksService] })
export class SharingModule {}
