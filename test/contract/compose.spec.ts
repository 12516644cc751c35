import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';

const ROOT = new URL('../../', import.meta.url);

it('the proxy of docker-compose.yml lets through what the signer signs, and nothing else', () => {
  const { Statement } = JSON.parse(readFileSync(new URL('deploy/iam/signer.json', ROOT), 'utf8')) as {
    Statement: { Action: string; Resource: string }[];
  };
  const signed = (action: string) =>
    Statement.filter(({ Action }) => Action === action).map(({ Resource }) => Resource.split(':::')[1]!);
  const compose = readFileSync(new URL('docker-compose.yml', ROOT), 'utf8');
  const through = (name: string, method: string) => {
    const [, paths] = new RegExp(`@${name} \\{\\s+method ${method} OPTIONS\\s+path (.+)\\n`).exec(compose)!;
    return paths!.split(' ').map((path) => path.replace(/^\//, ''));
  };
  expect(through('upload', 'PUT')).toEqual(signed('s3:PutObject'));
  expect(through('download', 'GET')).toEqual(signed('s3:GetObject'));
});
