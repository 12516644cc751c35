/** Dates and times of PS3.5 section 6.2, as they are written in a file. Ranges of them, which only queries have, are none. */

const TIME = /^([01]\d|2[0-3])(?:([0-5]\d)(?:([0-5]\d|60)(?:\.\d{1,6})?)?)?$/;
const OFFSET = /^[+-](?:0\d|1[0-4])[0-5]\d$/;

/** DA: `YYYYMMDD`, a day that is in the calendar. */
export function isDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(text) ?? [];
  if (year === undefined || year === '0000') return false;
  return Number(day) >= 1 && Number(day) <= daysOf(Number(year), Number(month));
}

/** TM: `HHMMSS.FFFFFF`, of which minutes, seconds and fraction may be missing. 60 is the second of a leap. */
export function isTime(text: string): boolean {
  return TIME.test(text);
}

/** DT: date and time in one, cut where one likes after the year, with an offset from UTC between -1200 and +1400. */
export function isDateTime(text: string): boolean {
  const [, date, time, offset] = /^(\d{4,8})(\d[\d.]*)?([+-]\d{4})?$/.exec(text) ?? [];
  if (date === undefined) return false;
  if (offset !== undefined && !isOffset(offset)) return false;
  if (time !== undefined) return date.length === 8 && isDate(date) && isTime(time);
  return date.length % 2 === 0 && isDate(`${date}${'0101'.slice(date.length - 4)}`);
}

function isOffset(text: string): boolean {
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3));
  if (!OFFSET.test(text) || text === '-0000') return false;
  return minutes <= (text.startsWith('-') ? 12 : 14) * 60;
}

function daysOf(year: number, month: number): number {
  if (month < 1 || month > 12) return 0;
  if (month !== 2) return [4, 6, 9, 11].includes(month) ? 30 : 31;
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
}
