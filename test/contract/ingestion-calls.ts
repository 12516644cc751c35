import { newUid } from '../../src/demo/phantom.js';
import { newId } from '../../src/platform/database/id.js';
import type { Answer, Client } from '../support/client.js';
import { put } from '../support/client.js';
import { ctInstance } from '../support/dicom-files.js';
import type { Hospital } from '../support/hospital.js';

/** The bucket's secret that a world must be made with. */
export const STORAGE_EVENTS_SECRET = 'a-secret-of-the-bucket-of-32-bytes-or-more';

/** How a route succeeds, and how it fails. */
export interface Calls {
  success: (by: Client) => Promise<Answer>;
  failure: (by: Client) => Promise<Answer>;
}

/** Every audited route of orders, studies, results and events; `METHOD path` as in the route table. */
export function ingestionCalls(hospitalOf: () => Hospital, anonymous: () => Client): Record<string, Calls> {
  const patch = (by: Client, query: string, body: object) => by.call('PATCH', `/add-metadata?${query}`, body);
  /** An order with one registered instance. */
  const filled = async () => {
    const [order, uid] = [await hospitalOf().newOrder(), newUid()];
    const upload = await hospitalOf().deliver(ctInstance({ StudyInstanceUID: uid }), `?order_id=${order}`);
    return { order, uid, upload: upload.id as string };
  };
  const issued = async () => {
    const { url, uploadId, key } = await hospitalOf().issue();
    await put(url, ctInstance());
    return { uploadId, key };
  };
  return {
    'GET /new-order': {
      success: (by) => by.get('/new-order'),
      failure: (by) => by.get('/new-order?order_id=7'),
    },
    'POST /new-order': {
      success: (by) => by.post('/new-order', { PatientID: 'P-1' }),
      failure: async (by) => by.post('/new-order', { order_id: await hospitalOf().newOrder() }),
    },
    'PATCH /add-metadata': {
      success: async (by) => patch(by, `order_id=${await hospitalOf().newOrder()}`, { PatientID: 'P-1' }),
      failure: (by) => patch(by, `order_id=${newId()}`, { PatientID: 'P-1' }),
    },
    'GET /status': {
      success: async (by) => by.get(`/status?order_id=${await hospitalOf().newOrder()}`),
      failure: (by) => by.get(`/status?study_uid=${newUid()}`),
    },
    'GET /orderId': {
      success: async (by) => by.get(`/orderId?study_uid=${(await filled()).uid}`),
      failure: (by) => by.get(`/orderId?study_uid=${newUid()}`),
    },
    'GET /failure-report': {
      success: async (by) => by.get(`/failure-report?study_uid=${(await filled()).uid}`),
      failure: (by) => by.get(`/failure-report?order_id=${newId()}`),
    },
    'GET /orders': {
      success: (by) => by.get('/orders'),
      failure: (by) => by.get('/orders?limit=0'),
    },
    'GET /orders/:id': {
      success: async (by) => by.get(`/orders/${await hospitalOf().newOrder()}`),
      failure: (by) => by.get(`/orders/${newId()}`),
    },
    'POST /orders/:id/close': {
      success: async (by) => by.post(`/orders/${await hospitalOf().newOrder()}/close`),
      failure: (by) => by.post(`/orders/${newId()}/close`),
    },
    'GET /upload': {
      success: (by) => by.get('/upload'),
      failure: (by) => by.get(`/upload?order_id=${newId()}`),
    },
    'POST /upload': {
      success: async (by) => by.post('/upload', { order_id: await hospitalOf().newOrder() }),
      failure: (by) => by.post('/upload', { order_id: newId() }),
    },
    'GET /uploads/:id': {
      success: async (by) => by.get(`/uploads/${(await filled()).upload}`),
      failure: (by) => by.get(`/uploads/${newId()}`),
    },
    'POST /uploads/:id/complete': {
      success: async (by) => by.post(`/uploads/${(await issued()).uploadId}/complete`),
      failure: async (by) => by.post(`/uploads/${(await hospitalOf().issue()).uploadId}/complete`),
    },
    'GET /uploads/:id/download': {
      success: async (by) => by.get(`/uploads/${(await filled()).upload}/download`),
      failure: (by) => by.get(`/uploads/${newId()}/download`),
    },
    'GET /studies': {
      success: (by) => by.get('/studies'),
      failure: (by) => by.get('/studies?limit=0'),
    },
    'GET /studies/:uid': {
      success: async (by) => by.get(`/studies/${(await filled()).uid}`),
      failure: (by) => by.get(`/studies/${newUid()}`),
    },
    'POST /results': {
      success: async (by) =>
        by.post(`/results?order_id=${await hospitalOf().newOrder()}`, { finding: 'none' }),
      failure: (by) => by.post(`/results?order_id=${newId()}`, { finding: 'none' }),
    },
    'GET /results': {
      success: async (by) => by.get(`/results?order_id=${await hospitalOf().newOrder()}`),
      failure: (by) => by.get(`/results?study_uid=${newUid()}`),
    },
    'GET /reports': {
      success: (by) => by.get('/reports'),
      failure: (by) => by.get('/reports?limit=0'),
    },
    'POST /reports': {
      success: (by) => by.post('/reports', { result_ids: [newId()] }),
      failure: (by) => by.post('/reports', { result_ids: [] }),
    },
    'GET /api/v1/events': {
      success: (by) => by.get('/api/v1/events'),
      failure: (by) => by.get('/api/v1/events?after=7'),
    },
    'POST /internal/storage-events': {
      success: async () => {
        const { key } = await issued();
        return anonymous().post('/internal/storage-events', created(key), {
          authorization: `Bearer ${STORAGE_EVENTS_SECRET}`,
        });
      },
      failure: () => anonymous().post('/internal/storage-events', created('staging/x')),
    },
  };
}

/** As S3 tells it. */
export const created = (key: string): object => ({
  Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'scandock' }, object: { key } } }],
});
