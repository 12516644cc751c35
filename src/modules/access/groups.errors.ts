import { ApplicationError } from '../../platform/errors/application-error.js';
import { MAX_LEVELS } from './group.rows.js';

export const groupCircle = (): ApplicationError =>
  new ApplicationError('group_circle', 409, 'The group would be a member of itself, by way of others.');

export const groupsTooDeep = (): ApplicationError =>
  new ApplicationError('groups_too_deep', 409, `Groups would be nested over more than ${MAX_LEVELS} levels.`);
