import dicomParser from 'dicom-parser';
import { DicomInspector } from '../../dist/formats/dicom/inspector.js';
import { ctInstance } from './study.mjs';
import { perSecond, rate, times } from './stack.mjs';

const HEAD_BYTES = 16 * 1024;
const PRIVATE_ELEMENTS = 100;
const INSTANCES = 64;

/**
 * Headers a second on one core: parsed, validated and taken out for the index, from the head as it would arrive; the
 * pixels behind it are walked over. dicom-parser parses the same head up to the pixels, and judges nothing.
 */
export default async function (row) {
  const files = Array.from({ length: INSTANCES }, (_, index) => ctInstance({ index }, 512, PRIVATE_ELEMENTS));
  const heads = files.map((bytes) => bytes.subarray(0, HEAD_BYTES));
  const bodies = files.map((bytes) => bytes.subarray(HEAD_BYTES));
  const elements = Object.keys(parsed(heads[0]).elements).length;
  let next = 0;
  const inspect = (described) => async () => {
    const index = next++ % INSTANCES;
    const inspector = new DicomInspector({ sopMismatch: 'accept' });
    inspector.write(heads[index]);
    inspector.write(bodies[index]);
    const verdict = await inspector.end();
    if (!verdict.ok || (described && !verdict.header.attributes.StudyDate)) throw new Error('not a verdict');
  };
  const baseline = await perSecond(() => parsed(heads[next++ % INSTANCES]));
  const report = (what, ours) =>
    row({
      what: `DICOM header of ${elements} elements, one core: ${what}`,
      figure: rate(ours),
      baseline: `dicom-parser, parse alone ${rate(baseline)}`,
      ratio: times(ours / baseline),
    });
  report('parsed, judged, indexed', await perSecond(inspect(false)));
  report('and its attributes decoded', await perSecond(inspect(true)));
}

const parsed = (head) => dicomParser.parseDicom(head, { untilTag: 'x7fe00010' });
