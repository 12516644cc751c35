import { corsToXml, parseCors } from './cors.js';
import { receiveText } from './request-body.js';
import { type S3Context, bucketOf, sendEmpty, sendXml } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { checkKey, header, setting } from './s3-request.js';
import { S3_NAMESPACE, childText, parseXml, xmlElement } from './xml.js';

const MAX_DELETED_KEYS = 1000;

/** ListBuckets. */
export function listBuckets(context: S3Context): void {
  const buckets = context.buckets
    .list()
    .map(
      ([name, { created }]) =>
        `<Bucket>${xmlElement('Name', name)}${xmlElement('CreationDate', new Date(created).toISOString())}</Bucket>`,
    );
  sendXml(
    context,
    `<ListAllMyBucketsResult xmlns="${S3_NAMESPACE}"><Owner><ID>scandock</ID><DisplayName>scandock</DisplayName></Owner>` +
      `<Buckets>${buckets.join('')}</Buckets></ListAllMyBucketsResult>`,
  );
}

/** CreateBucket. */
export async function createBucket(context: S3Context): Promise<void> {
  const { request } = context;
  if (setting(request, 'x-amz-bucket-object-lock-enabled') === 'true') throw new S3Error('NotImplemented');
  // An absent body is fine, also without a Content-Length.
  if (Number(header(request, 'content-length') ?? 0) > 0) {
    const { text } = await receiveText(request);
    const region = childText(parseXml(text, 'CreateBucketConfiguration'), 'LocationConstraint');
    if (region && region !== context.region)
      throw new S3Error('InvalidArgument', 'The location constraint is another region.');
  }
  await context.buckets.create(request.bucket!, context.now());
  sendEmpty(context, 200, { location: `/${request.bucket}` });
}

/** HeadBucket. */
export function headBucket(context: S3Context): void {
  bucketOf(context);
  sendEmpty(context, 200, { 'x-amz-bucket-region': context.region });
}

/** DeleteBucket. */
export async function deleteBucket(context: S3Context): Promise<void> {
  await context.buckets.delete(bucketOf(context));
  sendEmpty(context, 204);
}

/** GetBucketLocation; the original region has an empty constraint. */
export function getLocation(context: S3Context): void {
  bucketOf(context);
  const region = context.region === 'us-east-1' ? '' : context.region;
  sendXml(context, `<LocationConstraint xmlns="${S3_NAMESPACE}">${region}</LocationConstraint>`);
}

export async function putCors(context: S3Context): Promise<void> {
  const bucket = bucketOf(context);
  const { text } = await receiveText(context.request);
  await context.buckets.configure(bucket, { cors: parseCors(parseXml(text, 'CORSConfiguration')) });
  sendEmpty(context, 200);
}

export function getCors(context: S3Context): void {
  const { cors } = context.buckets.require(bucketOf(context));
  if (!cors) throw new S3Error('NoSuchCORSConfiguration');
  sendXml(context, `<CORSConfiguration xmlns="${S3_NAMESPACE}">${corsToXml(cors)}</CORSConfiguration>`);
}

export async function deleteCors(context: S3Context): Promise<void> {
  await context.buckets.configure(bucketOf(context), { cors: undefined });
  sendEmpty(context, 204);
}

/** Nothing is encrypted here, so a bucket has no default either, and cannot be given one (that is NotImplemented). */
export function getEncryption(context: S3Context): void {
  bucketOf(context);
  throw new S3Error('ServerSideEncryptionConfigurationNotFoundError');
}

export async function putLifecycle(context: S3Context): Promise<void> {
  const bucket = bucketOf(context);
  const { text } = await receiveText(context.request);
  const rules = parseXml(text, 'LifecycleConfiguration').children.get('Rule') ?? [];
  if (rules.length === 0 || rules.length > 1000) throw new S3Error('MalformedXML');
  for (const rule of rules) {
    if (!['Enabled', 'Disabled'].includes(childText(rule, 'Status') ?? '')) throw new S3Error('MalformedXML');
  }
  await context.buckets.configure(bucket, { lifecycle: text.replace(/^\s*<\?xml[^>]*\?>\s*/, '') });
  sendEmpty(context, 200);
}

export function getLifecycle(context: S3Context): void {
  const { lifecycle } = context.buckets.require(bucketOf(context));
  if (lifecycle === undefined) throw new S3Error('NoSuchLifecycleConfiguration');
  sendXml(context, lifecycle);
}

export async function deleteLifecycle(context: S3Context): Promise<void> {
  await context.buckets.configure(bucketOf(context), { lifecycle: undefined });
  sendEmpty(context, 204);
}

/** DeleteObjects: up to 1,000 keys, whose list must be protected by a checksum. */
export async function deleteObjects(context: S3Context): Promise<void> {
  const bucket = bucketOf(context);
  const { text, plan } = await receiveText(context.request);
  if (plan.md5 === undefined && !plan.checksum) {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    );
  }
  const root = parseXml(text, 'Delete');
  const quiet = childText(root, 'Quiet') === 'true';
  const keys = (root.children.get('Object') ?? []).map((node) => {
    const key = childText(node, 'Key');
    if (!key) throw new S3Error('MalformedXML');
    if (['VersionId', 'ETag', 'LastModifiedTime', 'Size'].some((name) => node.children.has(name))) {
      throw new S3Error('NotImplemented', 'Versions and conditional deletes are not implemented.');
    }
    checkKey(key);
    return key;
  });
  if (keys.length === 0 || keys.length > MAX_DELETED_KEYS) throw new S3Error('MalformedXML');
  const results: string[] = [];
  const next = keys.values();
  const worker = async (): Promise<void> => {
    for (const key of next) {
      await context.objects.delete(bucket, key);
      if (!quiet) results.push(`<Deleted>${xmlElement('Key', key)}</Deleted>`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  sendXml(context, `<DeleteResult xmlns="${S3_NAMESPACE}">${results.join('')}</DeleteResult>`);
}
