/**
 * Words of a registry or an image, for a message or a terminal: one line, no longer than this, and nothing in it that
 * a terminal obeys or that turns the direction of writing.
 */
export function oneLine(text: string, charactersMax: number): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(/[\p{Cc}\p{Cf}]/gu, '?')
    .slice(0, charactersMax)
}
