// `node scripts/dicom-data-dictionary.mjs <dictionary.mjs>`: writes src/formats/dicom/data-dictionary.data.ts from the
// data dictionary that the package dcmjs carries (`npm pack dcmjs@0.52.2`, generate/dictionary.mjs in it; MIT). The
// package itself has 11 MB, its dictionary alone takes 30 ms and more to load.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './ensure-installed.mjs';

const SOURCE = 'dcmjs 0.52.2';
const EDITION = '2024d';

/** VRs that depend on other attributes, and others of its own that the source has. */
const VRS = { up: 'UL', xs: 'US|SS', ox: 'OB|OW', lt: 'US|OW' };

/** What the source has otherwise than PS3.6, or not at all (of attributes of medicine). */
const CORRECTIONS = `
0008114C SQ 1 ReferencedSegmentationSequence
00089007 CS 4-5 FrameType
00140023 ST 1 CADFileFormat
00140024 ST 1 ComponentReferenceSystem
00140025 ST 1 ComponentManufacturingProcedure
00140028 ST 1 ComponentManufacturer
00140042 ST 1 MaterialGrade
00140044 ST 1 MaterialPropertiesDescription
00140045 ST 1 MaterialPropertiesFileFormatRetired
001440A0 LO 1-n ImageQualityIndicatorType
001440A1 LO 1-n ImageQualityIndicatorMaterial
001440A2 LO 1-n ImageQualityIndicatorSize
00189323 CS 1-n ExposureModulationType
00221627 SQ 1 OphthalmicEnFaceVolumeDescriptorSequence
00221629 CS 1 OphthalmicEnFaceVolumeDescriptorScope
00221642 UL 1 NumberOfBscansPerFrame
003A0320 SQ 1 SummarizedFilterLookupTableSequence
003A0325 SQ 1 AnalogFilterTypeCodeSequence
0040A803 UL 1 NumberOfTableColumns
00620009 LO 1-n SegmentAlgorithmName
00660005 FL 1 SurfaceOffset
00660040 OL 1 LongPrimitivePointIndexList
00660041 OL 1 LongTrianglePointIndexList
00660042 OL 1 LongEdgePointIndexList
00660043 OL 1 LongVertexPointIndexList
006862F0 SQ 1 ViewOrientationModifierCodeSequence
00701305 FD 4 Plane
00701306 FD 3 PlaneNormal
0070150C UL 1 NumberOfVolumetricCurvePoints
00760034 SQ 1 ComponentTypeCodeSequence
00800010 OF 1 UValueData
00800011 OF 1 VValueData
30020136 SQ 1 RTConeBeamImagingGeometrySequence
300A0131 FL 1 AverageBeamDosePointSourceToExternalContourDistance
40101029 LO 1-n ThreatDetectionAlgorithmAndVersion`;

const [source] = process.argv.slice(2);
if (!source) throw new Error('usage: dicom-data-dictionary.mjs <dictionary.mjs of dcmjs>');
const { default: dictionary } = await import(pathToFileURL(path.resolve(source)));

const lines = new Map();
for (const { tag, vr, vm, name: listed, version } of Object.values(dictionary)) {
  // Ranges of tags (repeating groups) and those without a keyword are not listed; nor are private attributes.
  const [, group, element] = /^\(([\da-f]{4}),([\da-f]{4})\)$/i.exec(tag) ?? [];
  const name = listed?.replace(/^RETIRED_/, '');
  if (!group || !name || name === 'undefined' || vr === 'na' || /private|illegal|generic/i.test(version))
    continue;
  const hex = `${group}${element}`.toUpperCase();
  if (hex.startsWith('10')) continue; // retired in 1992, repeating, and the source lists one of each
  lines.set(hex, `${hex} ${VRS[vr] ?? vr} ${vm} ${name}`);
}
for (const line of CORRECTIONS.trim().split('\n')) lines.set(line.slice(0, 8), line);

const list = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
const wrong = list.filter(
  (line) => !/^[\dA-F]{8} [A-Z]{2}(\|[A-Z]{2})* \d+(-\d*n|-\d+)? [A-Za-z]\w*$/.test(line),
);
if (wrong.length > 0 || list.length < 5000) throw new Error(`not what was expected: ${wrong.join(', ')}`);

const file = path.join(root, 'src/formats/dicom/data-dictionary.data.ts');
writeFileSync(
  file,
  `// Written by scripts/dicom-data-dictionary.mjs from ${SOURCE}, corrected by PS3.6 ${EDITION}. Do not edit.

/** The registry of data elements (PS3.6 chapters 6 to 9): tag, VRs, VM and keyword of one a line, in order of the tags. */
export const DATA_ELEMENTS = \`
${list.join('\n')}
\`;
`,
);
console.log(`${path.relative(root, file)}: ${list.length} attributes, ${readFileSync(file).length} bytes`);
