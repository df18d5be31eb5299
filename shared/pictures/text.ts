/** Width of DejaVu Sans's average character in parts of the font's size; bold is wider. */
export const CHARACTER_WIDTH = 0.6
export const BOLD_CHARACTER_WIDTH = 0.68

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }

/** Class names are folder names, which may hold anything: control characters, which XML cannot hold, become spaces. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\ufffe\uffff]/gu, ' ')
}

/** Text for XML: for elements and quoted attributes. */
export function escapeXml(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character])
}

/** At most so many characters; a longer text gets an ellipsis, before as many characters of its end as are to be kept. */
export function shorten(text: string, length: number, keptEnd = 0): string {
  const characters = [...text]
  if (characters.length <= length) return text
  return [...characters.slice(0, Math.max(length - 1 - keptEnd, 0)), '…', ...characters.slice(characters.length - keptEnd)].join('')
}
