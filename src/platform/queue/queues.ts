/** Every queue there is; each is registered in both processes. */
export const QUEUES = ['uploads', 'messages', 'files', 'deletions', 'audit-exports'];
