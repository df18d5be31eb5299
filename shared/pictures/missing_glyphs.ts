import sharp from 'sharp'
import { FONT_FAMILY, useBundledFonts } from './fonts.ts'
import { escapeXml, printable, shorten } from './text.ts'

/** Scripts that the bundled DejaVu Sans has, so that names in them need no look. */
const BUNDLED = /^[\p{Script=Common}\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]$/u
/** Characters that have a picture of their own: marks join others, and blanks show nothing. */
const SHOWN = /[\p{L}\p{N}\p{Extended_Pictographic}]/gu
/** Characters of a name that are drawn to find out whether there is a font for it. */
const LOOKED_AT = 3
/** Names that are looked at: whoever has thousands of classes has them in one language. */
const NAMES = 40
const WIDTH = 96
const HEIGHT = 80

/**
 * Says which of the names cannot be read in pictures, because no font of this machine has their script: boxes stand in their place.
 * @returns a sentence for the user; undefined if all can be read
 */
export async function missingGlyphsNotice(names: readonly string[]): Promise<string | undefined> {
  const unreadable: string[] = []
  for (const name of names.filter((each) => charactersToLookAt(each).length > 0).slice(0, NAMES)) {
    const boxes = await Promise.all(charactersToLookAt(name).map(isDrawnAsBox))
    if (boxes.every(Boolean)) unreadable.push(name)
  }
  if (unreadable.length === 0) return undefined
  const some = unreadable.slice(0, LOOKED_AT).map((name) => printable(shorten(name, 20)))
  return `No font of this machine has the characters of class names such as ${some.join(', ')}: pictures show boxes in their place. Install a font that has them, e.g. Debian's fonts-noto-cjk or fonts-noto-color-emoji.`
}

function charactersToLookAt(name: string): string[] {
  const shown = name.match(SHOWN) ?? []
  return shown.filter((each) => !BUNDLED.test(each) || /\p{Extended_Pictographic}/u.test(each)).slice(0, LOOKED_AT)
}

/** True if a character is drawn as Pango draws those that no font has: digits of its number in a frame, all of whose border is inked. */
async function isDrawnAsBox(character: string): Promise<boolean> {
  useBundledFonts()
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}"><text x="10" y="60" font-family="${FONT_FAMILY}" font-size="48">${escapeXml(character)}</text></svg>`
  const pixels = await sharp(Buffer.from(svg)).flatten({ background: '#ffffff' }).greyscale().raw().toBuffer()
  const isInked = (x: number, y: number, lightest = 160): boolean => pixels[y * WIDTH + x] < lightest
  const columns = Array.from({ length: WIDTH }, (_, x) => x).filter((x) => some(HEIGHT, (y) => isInked(x, y)))
  const rows = Array.from({ length: HEIGHT }, (_, y) => y).filter((y) => some(WIDTH, (x) => isInked(x, y)))
  const [left, right, top, bottom] = [columns.at(0), columns.at(-1), rows.at(0), rows.at(-1)]
  if (left === undefined || right === undefined || top === undefined || bottom === undefined) return false
  // A border that falls between two pixels is lighter than the rest.
  const isBorder = (x: number, y: number): boolean => isInked(x, y, 200)
  return columns.every((x) => isBorder(x, top) && isBorder(x, bottom)) && rows.every((y) => isBorder(left, y) && isBorder(right, y))
}

function some(count: number, holds: (index: number) => boolean): boolean {
  for (let index = 0; index < count; index += 1) if (holds(index)) return true
  return false
}
