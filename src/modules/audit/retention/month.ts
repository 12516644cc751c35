/** A month of the ledger, in UTC: events at or after `from` and before `to`. */
export interface Month {
  /** `YYYY-MM` */
  name: string;
  from: Date;
  to: Date;
}

/** @param name `YYYY-MM`; undefined when there is no such month */
export function monthNamed(name: string): Month | undefined {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(name)) return undefined;
  const from = new Date(`${name}-01T00:00:00.000Z`);
  return { name, from, to: monthsAfter(from, 1) };
}

/** The same day and time so many months later, or earlier; the last of a month that is shorter. */
export function monthsAfter(time: Date, months: number): Date {
  const [year, month] = [time.getUTCFullYear(), time.getUTCMonth() + months];
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const moved = new Date(time);
  moved.setUTCFullYear(year, month, Math.min(time.getUTCDate(), lastDay));
  return moved;
}

/** Whether all of a month's events are so many months old, or older. */
export const isOlderThan = ({ to }: Month, months: number, now: Date): boolean =>
  monthsAfter(now, -months) >= to;
