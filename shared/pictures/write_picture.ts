import { join } from 'node:path'
import sharp from 'sharp'
import { makeFolders } from '../kit/folders.ts'
import { writeAtomically } from '../kit/atomic_file.ts'
import { messageOf, WriteError } from '../kit/errors.ts'
import { useBundledFonts } from './fonts.ts'

/** Dots per CSS pixel: pictures are crisp on a screen of double density and in print. */
const SCALE = 2
/** Density at which the library sharp makes one dot of one CSS pixel. */
const DOTS_PER_INCH = 72

/** Renders an SVG as PNG, at twice its size. A palette would halve the file but take seven times as long, and three pictures are drawn at a time. */
export function renderPng(svg: string): Promise<Buffer> {
  useBundledFonts()
  return sharp(Buffer.from(svg), { density: DOTS_PER_INCH * SCALE }).png().toBuffer()
}

/**
 * Writes folder/name.svg and folder/name.png, each whole or not at all.
 * @throws WriteError if the disk refuses
 */
export async function writePicture(folder: string, name: string, svg: string): Promise<void> {
  const png = await renderPng(svg)
  try {
    await makeFolders(folder)
    await writeAtomically(join(folder, `${name}.svg`), [Buffer.from(svg)])
    await writeAtomically(join(folder, `${name}.png`), [png])
  } catch (error) {
    throw new WriteError(`${join(folder, name)}.svg and .png cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}
