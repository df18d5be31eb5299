/** Average width of a character of DejaVu Sans, as a fraction of the font size; bold is wider. */
export const CHARACTER_WIDTH = 0.6
export const BOLD_CHARACTER_WIDTH = 0.68

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** Replaces the control characters of a text by spaces: class names are folder names, which may contain anything, and XML cannot hold such characters. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\ufffe\uffff]/gu, ' ')
}

/** Escapes text for XML, for elements and quoted attributes alike. */
export function escapeXml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character])
}

/** Shortens a text to at most `length` characters: an ellipsis replaces what is left out, before the last `keptEnd` characters. */
export function shorten(text: string, length: number, keptEnd = 0): string {
  const characters = [...text]
  if (characters.length <= length) return text
  return [...characters.slice(0, Math.max(length - 1 - keptEnd, 0)), '…', ...characters.slice(characters.length - keptEnd)].join('')
}
