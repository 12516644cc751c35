import { describesPixels, groupOf, isPixelData, TAG, type Tag } from './tag.js';

const IMAGE_GROUP = 0x0028;

/** Keeps in mind whether an object describes pixels and whether they came, from the tags of its top level. */
export class PixelPromise {
  /** Whether PixelData, FloatPixelData or DoubleFloatPixelData has begun. */
  begun = false;
  private described = false;
  private elsewhere = false;
  private lastTag: Tag = 0;

  note(tag: Tag): void {
    this.lastTag = tag;
    if (describesPixels(tag)) this.described = true;
    else if (isPixelData(tag)) this.begun = true;
    else if (tag === TAG.pixelDataProviderUrl) this.elsewhere = true;
  }

  /**
   * An image that stops within its Image Pixel group lost its pixels. One whose attributes go on beyond that group was
   * stripped of them on purpose (such objects exist), or says where they are.
   */
  get broken(): boolean {
    return this.described && !this.begun && !this.elsewhere && groupOf(this.lastTag) <= IMAGE_GROUP;
  }
}
