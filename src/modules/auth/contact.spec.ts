import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { type Contact, subjectOf } from './contact.js';

it('the subject of an address is a UUIDv8 of key, door, organization, channel and address', () => {
  const [key, organization] = [randomBytes(32), randomUUID()];
  const contact: Contact = { channel: 'email', address: 'pat@example.org' };
  const door = { kind: 'patient', named: organization } as const;
  const subject = subjectOf(key, door, contact);
  expect(subject).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(subjectOf(key, door, { ...contact })).toBe(subject);
  const others = [
    subjectOf(randomBytes(32), door, contact),
    subjectOf(key, { ...door, named: randomUUID() }, contact),
    subjectOf(key, { ...door, kind: 'staff' }, contact),
    subjectOf(key, door, { ...contact, channel: 'sms' }),
    subjectOf(key, door, { ...contact, address: 'pat@example.com' }),
  ];
  expect(new Set([subject, ...others]).size).toBe(6);
});

it('the subject of a patient’s address is what it always was', () => {
  const door = { kind: 'patient', named: '01890a5d-ac96-774b-bcce-b302099a8057' } as const;
  const contact: Contact = { channel: 'sms', address: '+15550100200' };
  expect(subjectOf(Buffer.alloc(32, 1), door, contact)).toBe('91586d6d-2de2-80cf-9122-2573d09f9b9b');
});
