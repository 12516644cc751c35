import { describe, expect, it } from '@jest/globals';
import { ContentInspector } from './upload-body.content.js';

const LARGE = Buffer.alloc(256 * 1024, 'Blood pressure 120/80\n');
const large = { blocks: Array.from({ length: 8 }, () => LARGE), mimeType: 'text/plain' as const };
const small = { blocks: [Buffer.from('a')], mimeType: 'text/plain' as const };
const noText = { blocks: [...large.blocks, Buffer.from('\0')], mimeType: 'text/plain' as const };

describe('ContentInspector', () => {
  it('looks at one file after the other, also when one is refused', async () => {
    const inspector = new ContentInspector();
    const done: string[] = [];
    const inspect = (name: string, content: typeof large) =>
      inspector.assertContent(content).then(
        () => done.push(name),
        ({ status }: { status: number }) => done.push(`${name} ${status}`),
      );
    const all = [inspect('large', large), inspect('refused', noText), inspect('small', small)];
    await Promise.all([...all, inspect('large', large), inspect('small', small)]);
    expect(done).toEqual(['large', 'refused 400', 'small', 'large', 'small']);
  });

  it('lets others have their turn within a block', async () => {
    let turns = 0;
    let over = false;
    const count = (): void => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    await new ContentInspector().assertContent({ ...large, blocks: [LARGE] });
    over = true;
    expect(turns).toBeGreaterThanOrEqual(7);
  });
});
