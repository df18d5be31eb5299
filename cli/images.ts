import { readFile, stat } from 'node:fs/promises'
import { decodeImage, type DecodedImage } from '../shared/data/transforms/decode.ts'
import { MAX_FILE_BYTES } from '../shared/data/sources/inspect.ts'
import { byCodeUnits } from '../shared/data/columns/paths.ts'
import { imagesBelow } from '../shared/data/sources/found_images.ts'
import { DataError, messageOf } from '../shared/kit/errors.ts'

/** An image to classify, with its path as the user would write it; or an argument and the problem with it. */
export type Asked = { path: string; problem?: undefined } | { path: string; problem: string }

/** Replaces each folder by all images in it, in the order of their paths; files stay as they are given. */
export async function expandArguments(given: readonly string[]): Promise<Asked[]> {
  return (await Promise.all(given.map(expand))).flat()
}

async function expand(path: string): Promise<Asked[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ path }]
    const found = (await imagesBelow(path, '')).map(({ file }) => file).sort(byCodeUnits)
    return found.length > 0 ? found.map((image) => ({ path: image })) : [{ path, problem: `folder ${path} holds no images (jpg, png, webp, gif or tiff).` }]
  } catch (error) {
    return [{ path, problem: problemOf(path, error) }]
  }
}

/**
 * Reads and decodes an image file.
 * @param decodeTo short side, in pixels, to which a larger image is reduced.
 * @throws DataError, naming the file, if it is too large or cannot be read or decoded.
 */
export async function readImage(path: string, decodeTo: number): Promise<{ file: Buffer; image: DecodedImage }> {
  const file = await readBounded(path)
  return { file, image: await decodeImage(file, decodeTo, path) }
}

async function readBounded(path: string): Promise<Buffer> {
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new DataError(`${path} is not a regular file.`)
    if (found.size > MAX_FILE_BYTES) throw new DataError(`${path} has ${found.size} bytes, but an image may have at most ${MAX_FILE_BYTES}.`)
    return await readFile(path)
  } catch (error) {
    throw new DataError(problemOf(path, error), { cause: error })
  }
}

function problemOf(path: string, error: unknown): string {
  if (error instanceof DataError) return error.message
  return (error as NodeJS.ErrnoException).code === 'ENOENT' ? `${path} does not exist.` : `${path} cannot be read: ${messageOf(error)}.`
}
