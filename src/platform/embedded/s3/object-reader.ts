import { closeSync, openSync, read as readCallback } from 'node:fs';
import { promisify } from 'node:util';
import type { ByteRange } from './byte-range.js';
import { type ObjectMetadata, readMetadataFrom } from './object-file.js';
import type { ObjectStore } from './object-store.js';

const read = promisify(readCallback);
const CHUNK_BYTES = 512 * 1024;

/** One version of an object held open: later writes and deletes do not touch it. */
export class OpenObject {
  private constructor(
    readonly metadata: ObjectMetadata,
    private readonly files: { fd: number; size: number }[],
  ) {}

  /** Opens an object; undefined when there is none. */
  static open(store: ObjectStore, bucket: string, key: string): OpenObject | undefined {
    for (let attempt = 0; ; attempt++) {
      const fd = openIfPresent(store.path(bucket, key));
      if (fd === undefined) return undefined;
      const files = [{ fd, size: 0 }];
      try {
        const metadata = readMetadataFrom(fd);
        if (!metadata.pieces) return new OpenObject(metadata, [{ fd, size: metadata.size }]);
        for (const piece of metadata.pieces) {
          const file = openIfPresent(store.layout.piece(piece.id));
          if (file !== undefined) files.push({ fd: file, size: piece.size });
          else if (attempt < 10) break;
          else throw new Error(`piece ${piece.id} is missing`);
        }
        if (files.length === metadata.pieces.length + 1) return new OpenObject(metadata, files);
        // Replaced between reading the metadata and opening the pieces: look again.
        closeAll(files);
      } catch (error) {
        closeAll(files);
        throw error;
      }
    }
  }

  /** The bytes of a range, in new buffers. Closes the object when it ends, also early, but never under a running read. */
  async *read(range: ByteRange): AsyncGenerator<Buffer> {
    try {
      yield* this.readPieces(range);
    } finally {
      this.close();
    }
  }

  private async *readPieces(range: ByteRange): AsyncGenerator<Buffer> {
    let offset = 0;
    for (const { fd, size } of this.files) {
      const from = Math.max(range.start - offset, 0);
      const to = Math.min(range.end - offset + 1, size);
      for (let position = from; position < to;) {
        const length = Math.min(CHUNK_BYTES, to - position);
        const { bytesRead, buffer } = await read(fd, Buffer.allocUnsafeSlow(length), 0, length, position);
        if (bytesRead === 0) throw new Error('object file is shorter than its metadata says');
        position += bytesRead;
        yield bytesRead === length ? buffer : buffer.subarray(0, bytesRead);
      }
      offset += size;
    }
  }

  /** To be called when nothing is read. */
  close(): void {
    closeAll(this.files);
  }
}

function closeAll(files: { fd: number }[]): void {
  for (const { fd } of files.splice(0)) closeSync(fd);
}

function openIfPresent(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
