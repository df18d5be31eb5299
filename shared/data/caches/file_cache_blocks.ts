import { createHash } from 'node:crypto'
import { z } from 'zod'
import { HASH_BYTES } from '../columns/hash_index.ts'
import { PathList, PathReader } from '../columns/path_list.ts'
import { FileFacts, Known, type FoundFacts } from './file_facts.ts'

/**
 * Blocks of the file cache. Each has a head (three numbers of 32 bits: files, bytes of their paths, bytes of their problems; and the sha256 of the
 * body) and a body: paths, sizes (uint32), times (float64), hashes (32 bytes), what is known (uint8), and problems as JSON. A block without files is the
 * last one, so that a file that was cut off is known by its lack. Numbers are little-endian.
 */
const HEAD_BYTES = 12 + HASH_BYTES
/** Bytes of a file in a block, without its path and problem. */
const FILE_BYTES = 4 + 8 + HASH_BYTES + 1
/** Limit of a block's files and of its bytes: what is longer is damaged. */
const MAX_FILES = 4096
const MAX_BYTES = 2 ** 28

const problemsSchema = z.array(z.tuple([z.int().min(0), z.string()]))

/** A file's facts with its path. */
export type FileEntry = FoundFacts & { path: string }

export const LAST_BLOCK = blockOf(new PathList(), new FileFacts(0), [])

/** Encodes facts of some files of a data set, at most 4096. */
export function blockOf(paths: PathList, facts: FileFacts, places: readonly number[]): Buffer {
  const ownPaths = PathList.of(places.map((place) => paths.at(place)))
  const pathBytes = ownPaths.encoded(0, places.length)
  const problems = Buffer.from(JSON.stringify(places.flatMap((place, row) => (facts.known[place] === Known.unreadable ? [[row, facts.problem(place)]] : []))))
  const block = Buffer.alloc(HEAD_BYTES + pathBytes.length + places.length * FILE_BYTES + problems.length)
  let at = HEAD_BYTES + pathBytes.copy(block, HEAD_BYTES)
  for (const place of places) at = block.writeUInt32LE(facts.bytes[place], at)
  for (const place of places) at = block.writeDoubleLE(facts.modified[place], at)
  for (const place of places) at += facts.hash(place).copy(block, at)
  for (const place of places) at = block.writeUInt8(facts.known[place], at)
  problems.copy(block, at)
  ;[places.length, pathBytes.length, problems.length].forEach((number, index) => block.writeUInt32LE(number, index * 4))
  sha256(block.subarray(HEAD_BYTES)).copy(block, 12)
  return block
}

/**
 * Reads blocks one after the other.
 * @param read reads so many bytes further on; fewer at the end
 * @throws Error if a block is damaged, or the last one is not there
 */
export async function* readBlocks(read: (bytes: number) => Promise<Buffer>): AsyncGenerator<FileEntry[]> {
  for (;;) {
    const head = await read(HEAD_BYTES)
    if (head.length < HEAD_BYTES) throw new Error('its end is not there')
    const [files, pathBytes, problemBytes] = [0, 4, 8].map((at) => head.readUInt32LE(at))
    const bytes = pathBytes + files * FILE_BYTES + problemBytes
    if (files > MAX_FILES || bytes > MAX_BYTES) throw new Error('a block of it has an impossible size')
    const body = await read(bytes)
    if (body.length < bytes || !sha256(body).equals(head.subarray(12))) throw new Error('a block of it does not match its checksum')
    if (files === 0) return
    yield entriesOf(body, files, pathBytes)
  }
}

function entriesOf(body: Buffer, files: number, pathBytes: number): FileEntry[] {
  const paths = new PathReader(body.subarray(0, pathBytes))
  const [sizes, times, hashes, known, texts] = [0, 4, 12, 12 + HASH_BYTES, FILE_BYTES].map((column) => pathBytes + files * column)
  const problems = new Map(problemsSchema.parse(JSON.parse(body.toString('utf8', texts))))
  return Array.from({ length: files }, (_, row) => ({
    path: paths.next(),
    bytes: body.readUInt32LE(sizes + row * 4),
    modified: body.readDoubleLE(times + row * 8),
    sha256: body.subarray(hashes + row * HASH_BYTES, hashes + (row + 1) * HASH_BYTES),
    problem: body[known + row] === Known.hash ? undefined : (problems.get(row) ?? null),
  }))
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest()
}
