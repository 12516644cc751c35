/**
 * The first `most` UTF-16 units of a text, less one where they would end within a surrogate pair: half a character is no
 * text, and no database takes it. What is longer comes back as a copy, which does not hold on to the whole.
 */
export function boundedText(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return ownText(text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most));
}

/** The same well-formed text in memory of its own: a slice of a long string keeps all of that in memory. */
export function ownText(text: string): string {
  return Buffer.from(text).toString();
}
