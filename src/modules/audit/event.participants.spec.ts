import { expect, it } from '@jest/globals';
import { auditSource } from './event.participants.js';

it('an installation is called by its public host, with its port where it is not the usual one', () => {
  expect(auditSource({ PUBLIC_URL: 'https://images.example.org/' })).toBe('images.example.org');
  expect(auditSource({ PUBLIC_URL: 'http://127.0.0.1:3000' })).toBe('127.0.0.1:3000');
});
