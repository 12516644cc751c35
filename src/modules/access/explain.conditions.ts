import type { ConditionKind } from '../../platform/authorization/subjects.js';
import type { Explanation } from './explain.schemas.js';
import type { ResourceRow } from './resource.rows.js';

type Told = NonNullable<Explanation['conditions']>;
type Columns = Record<string, ConditionKind>;

/**
 * What conditions ask, column by column, and what the row has there. Of columns that no condition may ask of nothing is
 * told: their values are nobody's business here.
 * @param row absent: no row is asked about
 */
export function tellConditions(
  conditions: Record<string, unknown>,
  columns: Columns,
  row: ResourceRow | undefined,
  path = '',
): Told {
  return Object.entries(conditions).flatMap(([name, expected]): Told => {
    const [column, kind] = [path + name, Object.hasOwn(columns, name) ? columns[name] : undefined];
    if (kind === undefined) return [{ column, expected }];
    const actual = row && (row[name] ?? null);
    if (typeof kind === 'object' && isObject(expected))
      return tellConditions(expected, kind, row && ((actual ?? {}) as ResourceRow), `${column}.`);
    if (row === undefined) return [{ column, expected }];
    return [{ column, expected, actual: actual as string | boolean | null, matches: actual === expected }];
  });
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
