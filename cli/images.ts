import { readFile, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import pMap from 'p-map'
import { decodeImage, type DecodedImage } from '../shared/data/transforms/decode.ts'
import { MAX_FILE_BYTES } from '../shared/data/sources/inspect.ts'
import { byCodeUnits } from '../shared/data/columns/paths.ts'
import { imagesBelow } from '../shared/data/sources/found_images.ts'
import { DataError, messageOf, UsageError } from '../shared/kit/errors.ts'
import { readBounded } from '../shared/kit/read_bounded.ts'
import { globOf } from './glob.ts'

/** An image to classify, with its path as the user would write it, and its bytes if no file has them; or an argument and the problem with it. */
export type Asked = { path: string; bytes?: Buffer; problem?: undefined } | { path: string; problem: string }

/** Argument that stands for an image on standard input. */
const STANDARD_INPUT = '-'

/** Arguments that are looked up at a time. */
const LOOK_UPS = 64

/**
 * Finds the images that arguments stand for: a folder for all images in it, a pattern for what matches it, in the order of their paths, `-` for an
 * image on standard input. Without arguments, the lines of standard input are the arguments.
 * @throws UsageError if there is no argument, and no line on standard input, or it is a terminal
 */
export async function askedImages(given: readonly string[], input: Readable & { isTTY?: boolean }): Promise<Asked[]> {
  const wanted = given.length > 0 || input.isTTY === true ? given : await linesOf(input)
  if (wanted.length === 0) throw new UsageError('no image is given: expected image files, folders or patterns as arguments, or their paths, one a line, on standard input.')
  const found = await pMap(wanted, (argument) => (argument === STANDARD_INPUT && given.length > 0 ? fromInput(input) : expand(argument)), { concurrency: LOOK_UPS })
  return found.flat()
}

async function linesOf(input: Readable): Promise<string[]> {
  const lines: string[] = []
  for await (const line of createInterface({ input, crlfDelay: Infinity })) if (line !== '') lines.push(line)
  return lines
}

async function fromInput(input: Readable): Promise<Asked[]> {
  const bytes = await readBounded(input, MAX_FILE_BYTES)
  return [bytes === undefined ? { path: STANDARD_INPUT, problem: `standard input has more than ${MAX_FILE_BYTES} bytes, the most that an image may have.` } : { path: STANDARD_INPUT, bytes }]
}

async function expand(path: string): Promise<Asked[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [{ path }]
    const found = await pathsBelow(path)
    return found.length > 0 ? found.map((image) => ({ path: image })) : [{ path, problem: `folder ${path} holds no images (jpg, png, webp, gif or tiff).` }]
  } catch (error) {
    // A file whose name looks like a pattern is taken as that file, above.
    return (await expandPattern(path)) ?? [{ path, problem: problemOf(path, error) }]
  }
}

async function expandPattern(pattern: string): Promise<Asked[] | undefined> {
  const glob = globOf(pattern)
  if (glob === undefined) return undefined
  try {
    const below = await pathsBelow(glob.base === '' ? '.' : glob.base)
    const found = below.map((path) => (glob.base === '' ? path.slice('./'.length) : path)).filter((path) => glob.matches(path))
    return found.length > 0 ? found.map((path) => ({ path })) : [{ path: pattern, problem: `nothing that is an image by its name matches ${pattern}.` }]
  } catch (error) {
    return [{ path: pattern, problem: problemOf(pattern, error) }]
  }
}

async function pathsBelow(folder: string): Promise<string[]> {
  return (await imagesBelow(folder, '')).map(({ file }) => file).sort(byCodeUnits)
}

/**
 * Reads and decodes an image.
 * @param decodeTo short side, in pixels, to which a larger image is reduced.
 * @throws DataError, naming the file, if it is too large or cannot be read or decoded.
 */
export async function readImage({ path, bytes }: { path: string; bytes?: Buffer }, decodeTo: number): Promise<{ file: Buffer; image: DecodedImage }> {
  const file = bytes ?? (await readImageFile(path))
  return { file, image: await decodeImage(file, decodeTo, path === STANDARD_INPUT && bytes !== undefined ? 'standard input' : path) }
}

async function readImageFile(path: string): Promise<Buffer> {
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
