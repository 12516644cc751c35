import { randomBytes } from 'node:crypto';
import { pdf, png } from '../../src/formats/document/document.fixture.js';
import { newId } from '../../src/platform/database/id.js';
import { type Answer, basic, type Client } from '../support/client.js';
import { createExam, examBody } from '../support/exam.js';
import { declarationOf } from '../support/inspector.js';
import { FORM } from '../support/signing-client.js';
import type { SharedExam, Surfaces } from './surfaces.js';

const GRANT = 'grant_type=client_credentials';

/** A call of a route. `given`: an exam that is shared, whose file is registered, for those that need one. */
export type Call = (given: () => Promise<SharedExam>, by: Client) => Promise<Answer>;

/** How each route of exams, share links, tokens and the inspection app succeeds and how it fails; `METHOD path` as in the route table. */
export function examCalls(of: () => Surfaces): Record<string, { success: Call; failure: Call }> {
  const inspector = () => of().inspector();
  return {
    'POST /api/v1/exams': {
      success: (_, by) => by.post('/api/v1/exams', examBody({ 'a.dcm': 1 })),
      failure: (_, by) => by.post('/api/v1/exams', {}),
    },
    'GET /api/v1/exams': {
      success: (_, by) => by.get('/api/v1/exams'),
      failure: (_, by) => by.get('/api/v1/exams?limit=0'),
    },
    'GET /api/v1/exams/:id': {
      success: async (given, by) => by.get(`/api/v1/exams/${(await given()).id}`),
      failure: (_, by) => by.get(`/api/v1/exams/${newId()}`),
    },
    'POST /api/v1/exams/:id/urls': {
      success: async (given, by) => by.post(`/api/v1/exams/${(await given()).id}/urls`),
      failure: (_, by) => by.post(`/api/v1/exams/${newId()}/urls`),
    },
    'POST /api/v1/exams/:id/confirm': {
      success: async (_, by) => by.post(`/api/v1/exams/${await of().confirmable()}/confirm`),
      failure: async (_, by) =>
        by.post(`/api/v1/exams/${(await createExam(of().client, { 'a.dcm': 1 })).exam_id}/confirm`),
    },
    'POST /api/v1/exams/:id/share': {
      success: async (given, by) => by.post(`/api/v1/exams/${(await given()).id}/share`, {}),
      failure: (_, by) => by.post(`/api/v1/exams/${newId()}/share`, {}),
    },
    'DELETE /api/v1/exams/:id/share': {
      success: async (_, by) =>
        by.delete(`/api/v1/exams/${(await createExam(of().client, { a: 1 })).exam_id}/share`),
      failure: (_, by) => by.delete(`/api/v1/exams/${newId()}/share`),
    },
    'DELETE /api/v1/exams/:id': {
      success: async (_, by) =>
        by.delete(`/api/v1/exams/${(await createExam(of().client, { a: 1 })).exam_id}`),
      failure: (_, by) => by.delete(`/api/v1/exams/${newId()}`),
    },
    'GET /api/v1/me': {
      success: (_, by) => by.get('/api/v1/me'),
      failure: async (_, by) => of().broken(() => by.get('/api/v1/me')),
    },
    'GET /test-token': {
      success: (_, by) => by.get('/test-token'),
      // It looks nothing up, so that nothing fails but the credential itself.
      failure: () => of().anonymous.get('/test-token', { authorization: 'Bearer !' }),
    },
    'POST /oauth2/token': {
      success: () =>
        of().anonymous.call('POST', '/oauth2/token', GRANT, {
          ...FORM,
          authorization: basic(of().tenant.clientId, of().tenant.clientSecret),
        }),
      failure: () => of().anonymous.call('POST', '/oauth2/token', 'grant_type=password', FORM),
    },
    'GET /auth/token': {
      success: () =>
        of().anonymous.get('/auth/token', {
          authorization: basic(of().tenant.clientId, of().tenant.clientSecret),
        }),
      failure: () => of().anonymous.get('/auth/token?client_secret=x'),
    },
    'POST /auth/token': {
      success: () =>
        of().anonymous.post('/auth/token', {
          client_id: of().tenant.clientId,
          client_secret: of().tenant.clientSecret,
        }),
      failure: () => of().anonymous.post('/auth/token', '{"broken'),
    },
    'GET /share/:token': {
      success: async (given) => of().anonymous.get(`/share/${(await given()).token}`),
      failure: () => of().anonymous.get(`/share/${'A'.repeat(43)}`),
    },
    'GET /viewer/:token': {
      success: async (given) => of().anonymous.get(`/viewer/${(await given()).token}`),
      failure: () => of().anonymous.get(`/viewer/${'A'.repeat(43)}`),
    },
    'GET /share/:token/files/:id': {
      success: async (given) => {
        const { token, upload } = await given();
        return of().anonymous.get(`/share/${token}/files/${upload}`);
      },
      failure: async (given) => of().anonymous.get(`/share/${(await given()).token}/files/${newId()}`),
    },
    'POST /api/inspect/v1/file/upload/presigned': {
      success: () => inspector().declare(declarationOf(randomBytes(9))),
      failure: () => inspector().declare({}),
    },
    'POST /api/inspect/v1/file/upload/complete': {
      success: async () => inspector().complete(await inspector().send(png())),
      failure: async () =>
        inspector().complete((await inspector().presigned(declarationOf(randomBytes(9)))).id),
    },
    'GET /api/inspect/v1/file/:id': {
      success: async () => inspector().file((await inspector().presigned(declarationOf(randomBytes(9)))).id),
      failure: () => inspector().file(newId()),
    },
    'GET /api/inspect/v1/file/:id/download': {
      success: async () => inspector().download(await inspector().deliver(pdf(newId()), 'application/pdf')),
      failure: () => inspector().download(newId()),
    },
    'POST /share/:token': {
      success: async () => {
        const { token } = await of().sharedExam('correct horse');
        return of().anonymous.call('POST', `/share/${token}`, 'password=correct+horse', FORM);
      },
      failure: () => of().anonymous.call('POST', `/share/${'A'.repeat(43)}`, 'password=x', FORM),
    },
  };
}
