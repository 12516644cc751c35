/**
 * The organization of whoever runs the deployment. Its principals may perform the operations that are marked `platform`;
 * the ledger keeps the events that have no tenant under it, bad credentials for example. No tenant can have this id: theirs
 * are UUIDv7 of a later day.
 */
export const PLATFORM_ORGANIZATION = '00000000-0000-7000-8000-000000000000';
