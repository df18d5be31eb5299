import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { CHUNK_FLOATS } from '../../shared/vectors/chunks.ts'

/** Options for images of the size for which `writeWideNetwork` makes networks. */
export const WIDE_IMAGES = ['--image-size', '32']
/** Number of values after the convolution of images of that size. */
const FLAT = 16 * 16 * 8

/**
 * Writes a network whose vector of parameters is cut into this many chunks, though it is quick to compute.
 * @returns its path, to give to --model
 */
export async function writeWideNetwork(folder: string, chunks: number): Promise<string> {
  const file = path.join(folder, `wide-${chunks}.json`)
  // The last chunk is about half full, so that chunks differ in length.
  const units = Math.round(((chunks - 0.5) * CHUNK_FLOATS) / FLAT)
  const layers = [
    { type: 'conv2d', filters: 8, kernel: 3, stride: 2, padding: 'same', bias: true }, { type: 'relu' }, { type: 'flatten' }, { type: 'dropout', rate: 0.25 },
    { type: 'dense', units }, { type: 'relu' }, { type: 'dense', units: 'classes' },
  ]
  await writeFile(file, JSON.stringify({ name: 'wide', layers }))
  return file
}
