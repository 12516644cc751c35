import { setImmediate } from 'node:timers/promises';
import { CLINICAL_TYPES, inPieces, inspectDocument } from '../../formats/document/document.js';
import { validationError } from '../../platform/errors/application-error.js';
import type { ReceivedFile } from './upload-body.js';

type Content = Pick<ReceivedFile, 'blocks' | 'mimeType'>;

/** Holds files against their types, one at a time: of several each would take a piece of every turn of the event loop. */
export class ContentInspector {
  private last: Promise<unknown> = Promise.resolve();

  /** @throws validation_error when the bytes are not what the type says */
  assertContent(content: Content): Promise<void> {
    const own = this.last.then(() => assertContent(content));
    this.last = own.catch(() => undefined);
    return own;
  }
}

async function assertContent({ blocks, mimeType }: Content): Promise<void> {
  const verdict = await inspectDocument(piecesOf(blocks), CLINICAL_TYPES[mimeType]!);
  if (!verdict.ok) throw validationError([{ path: 'data', message: `${verdict.message} (${verdict.rule})` }]);
}

/** Other work gets its turn in between. */
async function* piecesOf(blocks: Buffer[]): AsyncGenerator<Uint8Array> {
  for (const block of blocks) {
    yield* inPieces(block);
    await setImmediate();
  }
}
