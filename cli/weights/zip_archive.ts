import { crc32 } from 'node:zlib'
import { RunError } from '../../shared/kit/errors.ts'

/** What is wrong with an archive, without the name of the file. */
export class ZipError extends RunError {}

/** An entry of an archive: where its bytes lie, and their checksum. */
interface Entry {
  name: string
  crc: number
  size: number
  /** Position of the entry's own header, after which its bytes come. */
  header: number
}

const END = { signature: 0x06054b50, bytes: 22, comment: 0xffff }
const DIRECTORY = { signature: 0x02014b50, bytes: 46 }
const LOCAL = { signature: 0x04034b50, bytes: 30 }
const STORED = 0
/** Stands for a size that only the 64-bit form of the format can have; files as large as that are refused before. */
const BEYOND = 0xffffffff

/** True if bytes begin as an archive does. */
export function isZip(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === LOCAL.signature
}

/**
 * Reads the directory of a zip archive whose entries are stored and not compressed, which is what PyTorch writes so that tensors can be mapped.
 * (Node reads no zip archives, and the packages that do are made for what is compressed.)
 * @returns a function that gives an entry's bytes, a view whose checksum was right; undefined if there is no such entry
 * @throws ZipError if the archive is damaged, compressed or encrypted; so does the function
 */
export function openZip(bytes: Buffer): { names: readonly string[]; read(name: string): Buffer | undefined } {
  const entries = new Map(directoryOf(bytes).map((entry) => [entry.name, entry]))
  return {
    names: [...entries.keys()],
    read(name) {
      const entry = entries.get(name)
      return entry === undefined ? undefined : contentOf(bytes, entry)
    },
  }
}

function directoryOf(bytes: Buffer): Entry[] {
  const end = endRecord(bytes)
  const count = bytes.readUInt16LE(end + 10)
  let at = bytes.readUInt32LE(end + 16)
  const entries: Entry[] = []
  for (let index = 0; index < count; index++) {
    if (at + DIRECTORY.bytes > end || bytes.readUInt32LE(at) !== DIRECTORY.signature) throw new ZipError(`its directory is damaged at entry ${index + 1} of ${count}`)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset))
    const next = at + DIRECTORY.bytes + nameLength + extraLength + commentLength
    if (next > end) throw new ZipError(`its directory is damaged at entry ${index + 1} of ${count}`)
    const name = bytes.toString('utf8', at + DIRECTORY.bytes, at + DIRECTORY.bytes + nameLength)
    const shown = JSON.stringify(name.slice(0, 60))
    if ((bytes.readUInt16LE(at + 8) & 1) !== 0) throw new ZipError(`its entry ${shown} is encrypted`)
    if (bytes.readUInt16LE(at + 10) !== STORED) throw new ZipError(`its entry ${shown} is compressed, which PyTorch does not do`)
    const [crc, packed, size, header] = [16, 20, 24, 42].map((offset) => bytes.readUInt32LE(at + offset))
    if (packed !== size || size === BEYOND) throw new ZipError(`its entry ${shown} has two sizes, ${packed} and ${size}`)
    entries.push({ name, crc, size, header })
    at = next
  }
  return entries
}

/** Finds the record that ends an archive, which a comment may follow. */
function endRecord(bytes: Buffer): number {
  const first = Math.max(0, bytes.length - END.bytes - END.comment)
  for (let at = bytes.length - END.bytes; at >= first; at--) {
    if (bytes.readUInt32LE(at) === END.signature && at + END.bytes + bytes.readUInt16LE(at + 20) === bytes.length) return at
  }
  throw new ZipError('it is cut off: the directory at its end is missing')
}

function contentOf(bytes: Buffer, { name, crc, size, header }: Entry): Buffer {
  const shown = JSON.stringify(name.slice(0, 60))
  if (header + LOCAL.bytes > bytes.length || bytes.readUInt32LE(header) !== LOCAL.signature) throw new ZipError(`its entry ${shown} is not where the directory says`)
  const begin = header + LOCAL.bytes + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28)
  if (begin + size > bytes.length) throw new ZipError(`its entry ${shown} goes beyond its end`)
  const content = bytes.subarray(begin, begin + size)
  if (crc32(content) !== crc) throw new ZipError(`its entry ${shown} does not have its checksum`)
  return content
}
