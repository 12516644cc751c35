import { z } from 'zod';
import { pageQuery, pageSchemaOf } from '../../platform/http/cursor.js';
import { plainText, uuid } from '../../platform/http/validation.js';

export const groupNameSchema = z.strictObject({ name: plainText(100) });
export type GroupName = z.infer<typeof groupNameSchema>;

export const listGroupsSchema = z.strictObject({ name: plainText(100).optional(), ...pageQuery });
export type ListGroups = z.infer<typeof listGroupsSchema>;

export const listMembersSchema = z.strictObject(pageQuery);
export type ListMembers = z.infer<typeof listMembersSchema>;

export const groupSchema = z.object({
  id: z.uuid(),
  name: z.string(),
  created_at: z.iso.datetime(),
  version: z.int(),
});
export type GroupView = z.infer<typeof groupSchema>;

export const groupPageSchema = pageSchemaOf(groupSchema);
export type GroupPage = z.infer<typeof groupPageSchema>;

export const addMemberSchema = z
  .strictObject({
    user_id: uuid.optional().describe('Of staff'),
    group_id: uuid.optional().describe('A group whose members become members, too'),
  })
  .refine((given) => (given.user_id === undefined) !== (given.group_id === undefined), {
    message: 'needs user_id or group_id, and not both',
  });
export type AddMember = z.infer<typeof addMemberSchema>;

export const memberSchema = z.object({
  id: z.uuid().describe('Of the membership'),
  user_id: z.uuid().optional(),
  group_id: z.uuid().optional(),
  created_at: z.iso.datetime(),
});
export type MemberView = z.infer<typeof memberSchema>;

export const memberPageSchema = pageSchemaOf(memberSchema);
export type MemberPage = z.infer<typeof memberPageSchema>;
