import { type FileHandle, open } from 'node:fs/promises';
import type { ByteRange } from './byte-range.js';
import { type ObjectMetadata, readMetadataFrom } from './object-file.js';
import type { ObjectStore } from './object-store.js';

const CHUNK_BYTES = 512 * 1024;

/** One version of an object held open: later writes and deletes do not touch it. */
export class OpenObject {
  private constructor(
    readonly metadata: ObjectMetadata,
    private readonly files: { handle: FileHandle; size: number }[],
  ) {}

  /** Opens an object; undefined when there is none. */
  static async open(store: ObjectStore, bucket: string, key: string): Promise<OpenObject | undefined> {
    for (let attempt = 0; ; attempt++) {
      const handle = await openIfPresent(store.path(bucket, key));
      if (!handle) return undefined;
      const files = [{ handle, size: 0 }];
      try {
        const metadata = await readMetadataFrom(handle);
        if (!metadata.pieces) return new OpenObject(metadata, [{ handle, size: metadata.size }]);
        // Few pieces are opened at once; of many (multipart), the list is short in practice: 10,000 at most.
        for (const piece of metadata.pieces) {
          const file = await openIfPresent(store.layout.piece(piece.id));
          if (file) files.push({ handle: file, size: piece.size });
          else if (attempt < 10) break;
          else throw new Error(`piece ${piece.id} is missing`);
        }
        if (files.length === metadata.pieces.length + 1) return new OpenObject(metadata, files);
        // Replaced between reading the metadata and opening the pieces: look again.
        await closeAll(files);
      } catch (error) {
        await closeAll(files);
        throw error;
      }
    }
  }

  /** The bytes of a range, in new buffers. */
  async *read(range: ByteRange): AsyncGenerator<Buffer> {
    let offset = 0;
    for (const { handle, size } of this.files) {
      const from = Math.max(range.start - offset, 0);
      const to = Math.min(range.end - offset + 1, size);
      for (let position = from; position < to;) {
        const length = Math.min(CHUNK_BYTES, to - position);
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(length), 0, length, position);
        if (bytesRead === 0) throw new Error('object file is shorter than its metadata says');
        position += bytesRead;
        yield bytesRead === length ? buffer : buffer.subarray(0, bytesRead);
      }
      offset += size;
    }
  }

  close(): Promise<void> {
    return closeAll(this.files);
  }
}

async function closeAll(files: { handle: FileHandle }[]): Promise<void> {
  for (const { handle } of files) await handle.close().catch(() => undefined);
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
