import {
  createBucket,
  deleteBucket,
  deleteCors,
  deleteLifecycle,
  deleteObjects,
  getCors,
  getEncryption,
  getLifecycle,
  getLocation,
  headBucket,
  listBuckets,
  putCors,
  putLifecycle,
} from './bucket-handlers.js';
import { copyObject } from './copy-handler.js';
import { listObjectsV1, listObjectsV2 } from './list-handlers.js';
import {
  abortUpload,
  completeUpload,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from './multipart-handlers.js';
import { deleteObject, getObject, headObject, putObject } from './object-handlers.js';
import type { Handler } from './s3-context.js';
import { S3Error } from './s3-error.js';
import { type S3Request, hasQuery, queryValue, setting } from './s3-request.js';

/** Query parameters that select an operation. One that is named here but not routed below is refused, never ignored. */
const SUBRESOURCES = [
  'accelerate',
  'acl',
  'analytics',
  'append',
  'attributes',
  'cors',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'renameObject',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'session',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versionId',
  'versioning',
  'versions',
  'website',
];

/** `METHOD subresource` of operations on a bucket. */
const BUCKET: Record<string, Handler> = {
  'PUT ': createBucket,
  'HEAD ': headBucket,
  'DELETE ': deleteBucket,
  'GET location': getLocation,
  'PUT cors': putCors,
  'GET cors': getCors,
  'DELETE cors': deleteCors,
  'GET encryption': getEncryption,
  'PUT lifecycle': putLifecycle,
  'GET lifecycle': getLifecycle,
  'DELETE lifecycle': deleteLifecycle,
  'GET uploads': listUploads,
  'POST delete': deleteObjects,
};

/** The same of operations on an object. */
const OBJECT: Record<string, Handler> = {
  'PUT ': putObject,
  'GET ': getObject,
  'HEAD ': headObject,
  'DELETE ': deleteObject,
  'POST uploads': createUpload,
  'PUT uploadId': uploadPart,
  'POST uploadId': completeUpload,
  'DELETE uploadId': abortUpload,
  'GET uploadId': listParts,
};

/** Finds the operation of a request. @throws S3Error NotImplemented, MethodNotAllowed */
export function route(request: S3Request): Handler {
  const found = SUBRESOURCES.filter((name) => hasQuery(request, name));
  if (found.length > 1) throw new S3Error('NotImplemented');
  const operation = `${request.method} ${found[0] ?? ''}`;
  if (request.bucket === undefined) {
    if (operation === 'GET ') return listBuckets;
    throw new S3Error('MethodNotAllowed');
  }
  if (request.key === undefined) {
    if (operation === 'GET ') return queryValue(request, 'list-type') === '2' ? listObjectsV2 : listObjectsV1;
    const handler = BUCKET[operation];
    if (!handler) throw new S3Error('NotImplemented');
    return handler;
  }
  if (operation === 'PUT ' && setting(request, 'x-amz-copy-source') !== undefined) return copyObject;
  const handler = OBJECT[operation];
  if (!handler) throw new S3Error('NotImplemented');
  return handler;
}
