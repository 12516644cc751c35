import { z } from 'zod';
import type { EffectiveRights } from '../modules/access/explain.schemas.js';
import type { Holder } from '../modules/access/rights.rows.js';
import { asOperator } from '../operator.js';
import { ConfigError } from '../platform/config/config.schema.js';
import { ApplicationError } from '../platform/errors/application-error.js';
import { readArguments, readDatabaseUrl } from './operator-input.js';

const USAGE = 'usage: scandock rights --organization <id> (--user|--client|--api-key|--group <id>) [--json]';

const KINDS = { user: 'user', client: 'client', 'api-key': 'api_key', group: 'group' } as const;

/** `scandock rights`: what somebody may do and by which roles, as a table or, with `--json`, as JSON. */
export async function rights(): Promise<void> {
  const { organizationId, holder, json } = readOptions();
  const found = await asOperator(readDatabaseUrl(), async (_, effective) => {
    const byName = holder.kind === 'client' && !z.uuid().safeParse(holder.id).success;
    const id = byName ? await effective.clientNamed(organizationId, holder.id) : holder.id;
    return effective.forOperator(organizationId, { ...holder, id });
  }).catch((error: unknown) => {
    if (!(error instanceof ApplicationError && error.status === 404)) throw error;
    throw new ConfigError([`there is no ${holder.kind} ${holder.id} in the organization ${organizationId}`]);
  });
  process.stdout.write(json ? `${JSON.stringify(found, null, 2)}\n` : describe(found));
}

function readOptions(): { organizationId: string; holder: Holder; json: boolean } {
  const text = { type: 'string' } as const;
  const { values } = readArguments(USAGE, {
    options: {
      ...{ organization: text, user: text, client: text, 'api-key': text, group: text },
      json: { type: 'boolean', default: false },
    },
  });
  const organizationId = z.uuid().safeParse(values.organization);
  const [holder, ...more] = Object.entries(KINDS).flatMap(([option, kind]): Holder[] => {
    const id = values[option as keyof typeof KINDS];
    return id === undefined ? [] : [{ kind, id }];
  });
  const isId = holder?.kind === 'client' || z.uuid().safeParse(holder?.id).success;
  if (!organizationId.success || !holder || !isId || more.length > 0) throw new ConfigError([USAGE]);
  return { organizationId: organizationId.data, holder, json: values.json };
}

function describe({ kind, id, excluded, scopes, bindings }: EffectiveRights): string {
  const rows = bindings.flatMap(({ role, group_ids, resource, rights: held }) =>
    held.map(({ subject, operations, conditions }) => [
      role.name,
      subject,
      operations.join(' '),
      [
        ...(conditions ? [JSON.stringify(conditions)] : []),
        ...(resource ? [`${resource.type} ${resource.id}`] : []),
      ].join(' '),
      group_ids.length > 0 ? `group ${group_ids.at(-1)}` : 'itself',
    ]),
  );
  const head = [
    `${kind} ${id}${excluded === null ? '' : ` (${excluded}: it may do nothing)`}`,
    `scopes: ${scopes.join(' ') || 'none'}`,
  ];
  if (rows.length === 0) return `${[...head, 'no roles'].join('\n')}\n`;
  return `${[...head, '', ...columns([['ROLE', 'SUBJECT', 'OPERATIONS', 'WHERE', 'BOUND TO'], ...rows])].join('\n')}\n`;
}

function columns(rows: string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
