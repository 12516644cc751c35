import { isChecksumAlgorithm } from './checksums.js';
import { writeCondition } from './conditions.js';
import { MAX_PART_NUMBER, type PartReference, type Upload } from './multipart-store.js';
import { readWrittenMetadata, refuseUnsupportedSettings } from './object-metadata.js';
import { planBody, receiveBody, receiveText } from './request-body.js';
import { type S3Context, bucketOf, objectOf, sendEmpty, sendXml } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { header, queryInteger, queryValue, setting } from './s3-request.js';
import { S3_NAMESPACE, type XmlNode, childText, parseXml, xmlElement } from './xml.js';

const OWNER = '<ID>scandock</ID><DisplayName>scandock</DisplayName>';

async function uploadOf(context: S3Context): Promise<Upload> {
  const { bucket, key } = objectOf(context);
  return context.uploads.require(bucket, key, queryValue(context.request, 'uploadId') ?? '');
}

function partNumber(context: S3Context): number {
  const number = queryInteger(context.request, 'partNumber', 0, 1, MAX_PART_NUMBER);
  if (number === 0) throw new S3Error('InvalidArgument', 'partNumber is missing.');
  return number;
}

/** CreateMultipartUpload. */
export async function createUpload(context: S3Context): Promise<void> {
  const { request } = context;
  const { bucket, key } = objectOf(context);
  refuseUnsupportedSettings(request);
  const algorithm = setting(request, 'x-amz-checksum-algorithm')?.toLowerCase();
  if (algorithm !== undefined && !isChecksumAlgorithm(algorithm)) throw new S3Error('NotImplemented');
  if (setting(request, 'x-amz-checksum-type')?.toUpperCase() === 'FULL_OBJECT')
    throw new S3Error('NotImplemented');
  const written = readWrittenMetadata(request);
  const upload = await context.uploads.create({
    bucket,
    key,
    initiated: context.now(),
    written,
    ...(algorithm && { checksum: algorithm }),
  });
  sendXml(
    context,
    `<InitiateMultipartUploadResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('Bucket', bucket) +
      xmlElement('Key', key) +
      xmlElement('UploadId', upload.id) +
      '</InitiateMultipartUploadResult>',
    {
      ...(algorithm && {
        'x-amz-checksum-algorithm': algorithm.toUpperCase(),
        'x-amz-checksum-type': 'COMPOSITE',
      }),
      ...(written.encryption && { 'x-amz-server-side-encryption': written.encryption }),
    },
  );
}

/** UploadPart. */
export async function uploadPart(context: S3Context): Promise<void> {
  const { request, objects } = context;
  const number = partNumber(context);
  if (setting(request, 'x-amz-copy-source') !== undefined) throw new S3Error('NotImplemented');
  refuseUnsupportedSettings(request);
  const upload = await uploadOf(context);
  const plan = planBody(request);
  const file = objects.newFile();
  try {
    // S3 calls an ETag opaque, and not always an MD5. Of a part whose SHA-256 is verified anyway, it is that.
    const digests = await receiveBody(plan, (chunk) => file.write(chunk), plan.sha256 === undefined);
    const etag = (digests.md5 ?? digests.sha256)!;
    await file.finish({
      bucket: upload.bucket,
      key: upload.key,
      size: plan.size,
      etag,
      lastModified: context.now(),
      contentType: '',
      headers: {},
      user: {},
      ...(digests.checksum && { checksum: { ...digests.checksum, type: 'FULL_OBJECT' } }),
    });
    await context.uploads.commitPart(upload, number, file);
    sendEmpty(context, 200, {
      etag: `"${etag}"`,
      ...(digests.checksum && { [`x-amz-checksum-${digests.checksum.algorithm}`]: digests.checksum.value }),
    });
  } catch (error) {
    await objects.discard(file);
    throw error;
  }
}

function readPart(node: XmlNode): PartReference {
  const number = childText(node, 'PartNumber') ?? '';
  const etag = childText(node, 'ETag');
  if (!/^\d{1,5}$/.test(number) || etag === undefined) throw new S3Error('MalformedXML');
  const checksums: PartReference['checksums'] = {};
  for (const name of node.children.keys()) {
    if (name.startsWith('Checksum'))
      checksums[name.slice('Checksum'.length).toLowerCase()] = childText(node, name);
  }
  return { number: Number(number), etag: etag.replace(/^"(.*)"$/, '$1'), checksums };
}

/** CompleteMultipartUpload. */
export async function completeUpload(context: S3Context): Promise<void> {
  const upload = await uploadOf(context);
  const condition = writeCondition((name) => header(context.request, name));
  const { text } = await receiveText(context.request);
  const nodes = parseXml(text, 'CompleteMultipartUpload').children.get('Part') ?? [];
  if (nodes.length === 0 || nodes.length > MAX_PART_NUMBER) throw new S3Error('MalformedXML');
  const object = await context.uploads.complete(upload, nodes.map(readPart), context.now(), condition);
  sendXml(
    context,
    `<CompleteMultipartUploadResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('Location', `/${object.bucket}/${object.key}`) +
      xmlElement('Bucket', object.bucket) +
      xmlElement('Key', object.key) +
      xmlElement('ETag', `"${object.etag}"`) +
      (object.checksum
        ? xmlElement(`Checksum${object.checksum.algorithm.toUpperCase()}`, object.checksum.value) +
          xmlElement('ChecksumType', object.checksum.type)
        : '') +
      '</CompleteMultipartUploadResult>',
  );
}

/** AbortMultipartUpload. */
export async function abortUpload(context: S3Context): Promise<void> {
  await context.uploads.abort(await uploadOf(context));
  sendEmpty(context, 204);
}

/** ListParts. */
export async function listParts(context: S3Context): Promise<void> {
  const upload = await uploadOf(context);
  const max = queryInteger(context.request, 'max-parts', 1000, 0, 0x7fffffff);
  const marker = queryInteger(context.request, 'part-number-marker', 0, 0, 0x7fffffff);
  const limit = Math.min(max, 1000);
  const all = (await context.uploads.parts(upload)).filter((part) => part.number > marker);
  const page = all.slice(0, limit);
  sendXml(
    context,
    `<ListPartsResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('Bucket', upload.bucket) +
      xmlElement('Key', upload.key) +
      xmlElement('UploadId', upload.id) +
      `<Initiator>${OWNER}</Initiator><Owner>${OWNER}</Owner>` +
      xmlElement('StorageClass', 'STANDARD') +
      xmlElement('PartNumberMarker', marker) +
      xmlElement('NextPartNumberMarker', page.at(-1)?.number ?? 0) +
      xmlElement('MaxParts', limit) +
      xmlElement('IsTruncated', all.length > page.length) +
      page
        .map(
          (part) =>
            '<Part>' +
            xmlElement('PartNumber', part.number) +
            xmlElement('LastModified', new Date(part.lastModified).toISOString()) +
            xmlElement('ETag', `"${part.etag}"`) +
            xmlElement('Size', part.size) +
            (part.checksum
              ? xmlElement(`Checksum${part.checksum.algorithm.toUpperCase()}`, part.checksum.value)
              : '') +
            '</Part>',
        )
        .join('') +
      '</ListPartsResult>',
  );
}

/** ListMultipartUploads, without delimiter. */
export async function listUploads(context: S3Context): Promise<void> {
  const { request } = context;
  const bucket = bucketOf(context);
  if (queryValue(request, 'delimiter') || queryValue(request, 'encoding-type'))
    throw new S3Error('NotImplemented');
  const prefix = queryValue(request, 'prefix') ?? '';
  const keyMarker = queryValue(request, 'key-marker') ?? '';
  const idMarker = queryValue(request, 'upload-id-marker') ?? '';
  const limit = Math.min(queryInteger(request, 'max-uploads', 1000, 0, 0x7fffffff), 1000);
  const matching = (await context.uploads.list(bucket)).filter(({ key }) => key.startsWith(prefix));
  const at = idMarker === '' ? -1 : matching.findIndex(({ id }) => id === idMarker);
  const behind = Buffer.from(keyMarker);
  const all =
    at >= 0
      ? matching.slice(at + 1)
      : matching.filter(({ key }) => keyMarker === '' || Buffer.compare(Buffer.from(key), behind) > 0);
  const page = all.slice(0, limit);
  const truncated = all.length > page.length;
  sendXml(
    context,
    `<ListMultipartUploadsResult xmlns="${S3_NAMESPACE}">` +
      xmlElement('Bucket', bucket) +
      xmlElement('KeyMarker', keyMarker) +
      xmlElement('UploadIdMarker', idMarker) +
      (truncated
        ? xmlElement('NextKeyMarker', page.at(-1)?.key) + xmlElement('NextUploadIdMarker', page.at(-1)?.id)
        : '') +
      xmlElement('Prefix', prefix) +
      xmlElement('MaxUploads', limit) +
      xmlElement('IsTruncated', truncated) +
      page
        .map(
          (upload) =>
            '<Upload>' +
            xmlElement('Key', upload.key) +
            xmlElement('UploadId', upload.id) +
            `<Initiator>${OWNER}</Initiator><Owner>${OWNER}</Owner>` +
            xmlElement('StorageClass', 'STANDARD') +
            xmlElement('Initiated', new Date(upload.initiated).toISOString()) +
            '</Upload>',
        )
        .join('') +
      '</ListMultipartUploadsResult>',
  );
}
