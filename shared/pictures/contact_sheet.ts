import sharp, { type OverlayOptions, type Sharp } from 'sharp'
import { INK, MUTED } from './colours.ts'
import { FONT_STACK, useBundledFonts } from './fonts.ts'
import { BOLD_CHARACTER_WIDTH, CHARACTER_WIDTH, escapeXml, shorten } from './text.ts'

/** Decoded pixels: uint8 [height, width, channels]. */
export interface RawImage {
  data: Uint8Array
  width: number
  height: number
  channels: 3 | 4
}

export interface SheetItem {
  /** An encoded image file, or raw pixels. */
  image: Buffer | RawImage
  /** Text of the prediction, e.g. "cane (dog) 93 %". */
  label: string
  /** Name of the true class, if it is known. */
  truth?: string
  /** True if the prediction is right (green), false if it is wrong (red), undefined if that is not known. */
  correct?: boolean
}

/** Side of an image on the sheet. All of these lengths are in pixels; the sheet is meant for screens of double density. */
export const TILE = 320
const GAP = 24
const CAPTION = 64
const FRAME = 6
const CAPTION_WIDTH = TILE + GAP / 2
const LABEL_FONT = 24
const TRUTH_FONT = 20
/** Smallest font size: a long caption is set smaller down to it, then shortened, except for the probability at its end. */
const SMALLEST_FONT = 16
const KEPT_END = ' 93 %'.length
const RIGHT = '#2a9d5c'
const WRONG = '#d1495b'

/**
 * Draws a sheet of images with their predictions below, framed in green if right and in red if wrong.
 * @param columns by default, as many as make the sheet about as wide as high, at most 6
 * @returns PNG
 */
export async function contactSheet(items: readonly SheetItem[], columns = Math.min(6, Math.max(1, Math.ceil(Math.sqrt(items.length))))): Promise<Buffer> {
  useBundledFonts()
  const rows = Math.max(1, Math.ceil(items.length / columns))
  const width = GAP + columns * (TILE + GAP)
  const height = GAP + rows * (TILE + CAPTION + GAP)
  const corner = (index: number): { left: number; top: number } => ({
    left: GAP + (index % columns) * (TILE + GAP),
    top: GAP + Math.floor(index / columns) * (TILE + CAPTION + GAP),
  })

  const captions = items.map((item, index) => caption(item, corner(index))).join('\n')
  const overlay = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${FONT_STACK}" text-anchor="middle">${captions}</svg>`)
  const tiles = await Promise.all(items.map(async ({ image }, index): Promise<OverlayOptions> => ({ input: await tile(image), raw: { width: TILE, height: TILE, channels: 3 }, ...corner(index) })))
  return sharp({ create: { width, height, channels: 3, background: '#ffffff' } })
    .composite([...tiles, { input: overlay, left: 0, top: 0 }])
    .removeAlpha()
    .png()
    .toBuffer()
}

/** Crops the middle of an image to a square of the tile's size. @returns raw pixels, which need not be encoded and decoded once more */
function tile(image: Buffer | RawImage): Promise<Buffer> {
  const decoded: Sharp = Buffer.isBuffer(image) ? sharp(image).autoOrient() : sharp(image.data, { raw: { width: image.width, height: image.height, channels: image.channels } })
  return decoded.resize(TILE, TILE, { fit: 'cover' }).flatten({ background: '#ffffff' }).toColourspace('srgb').removeAlpha().raw().toBuffer()
}

function caption({ label, truth, correct }: SheetItem, { left, top }: { left: number; top: number }): string {
  const colour = correct === undefined ? INK : correct ? RIGHT : WRONG
  const frame = correct === undefined ? '' : `<rect x="${left + FRAME / 2}" y="${top + FRAME / 2}" width="${TILE - FRAME}" height="${TILE - FRAME}" fill="none" stroke="${colour}" stroke-width="${FRAME}"/>`
  const text = (content: string, y: number, largest: number, characterWidth: number, style: string): string => {
    const size = Math.min(largest, Math.max(SMALLEST_FONT, Math.floor(CAPTION_WIDTH / ([...content].length * characterWidth))))
    const shown = shorten(content, Math.floor(CAPTION_WIDTH / (size * characterWidth)), KEPT_END)
    return `<text x="${left + TILE / 2}" y="${y}" font-size="${size}" ${style}>${escapeXml(shown)}</text>`
  }
  return [
    frame,
    text(label, top + TILE + LABEL_FONT + 6, LABEL_FONT, BOLD_CHARACTER_WIDTH, `font-weight="bold" fill="${colour}"`),
    truth === undefined ? '' : text(`true class: ${truth}`, top + TILE + LABEL_FONT + TRUTH_FONT + 14, TRUTH_FONT, CHARACTER_WIDTH, `fill="${MUTED}"`),
  ].join('')
}
