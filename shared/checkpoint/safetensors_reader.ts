import { open, type FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { CheckpointError, messageOf } from '../kit/errors.ts'
import { LENGTH_BYTES, METADATA_KEY, type TensorEntry } from './safetensors.ts'

/** Limit of a header in bytes. A network of a thousand layers has one of a few hundred kB; more is an attack or not a safetensors file. */
const LARGEST_HEADER = 16 * 1024 * 1024
/** Bytes of one element of each of the format's types. */
const BYTES: Readonly<Record<string, number>> = { BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, I16: 2, U16: 2, F16: 2, BF16: 2, I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8 }

/** What a file should be, for errors. */
export interface FileKind {
  name: string
  /** The noun of another such file. */
  noun: string
  example: string
}
const checkpointKind: FileKind = { name: 'a checkpoint of Herd', noun: 'checkpoint', example: "a checkpoint, such as checkpoints/latest.ckpt in a run's folder" }

const length = z.int().min(0)
const entrySchema = z.strictObject({ dtype: z.string(), shape: z.array(length).max(16), data_offsets: z.tuple([length, length]) })
const metadataSchema = z.record(z.string(), z.string())

/** Content of a file according to its header, checked against the file's size. */
export interface SafetensorsHeader {
  /** Tensors in the order of their bytes; they fill the data section without gaps or overlaps. */
  tensors: readonly TensorEntry[]
  metadata: ReadonlyMap<string, string>
  /** Position of the data section in the file, and its length, both in bytes. */
  dataBegin: number
  dataLength: number
}

/** Opens a file for reading, hands it to `use` and closes it. @throws CheckpointError if the file does not exist or cannot be opened */
export async function withFile<T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> {
  let handle: FileHandle
  try {
    handle = await open(file, 'r')
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
    throw new CheckpointError(missing ? `${file} does not exist: check the path.` : `${file} cannot be opened: ${messageOf(error)}.`, { cause: error })
  }
  try {
    return await use(handle)
  } finally {
    await handle.close()
  }
}

/**
 * Fills `target` from the given position of the file, in bytes.
 * @param file the file's path, for the error.
 * @throws CheckpointError if the file cannot be read, or ends before `target` is full.
 */
export async function readFully(handle: FileHandle, target: Uint8Array, position: number, file: string, { noun } = checkpointKind): Promise<void> {
  let done = 0
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, target.length - done, position + done).catch((error: unknown) => {
      throw new CheckpointError(`${file} cannot be read: ${messageOf(error)}. Use another ${noun}.`, { cause: error })
    })
    if (bytesRead === 0) throw new CheckpointError(`${file} is truncated: it ends after ${position + done} bytes. Use another ${noun}.`)
    done += bytesRead
  }
}

/**
 * Reads and checks the header. It never allocates more than the file holds, whatever length the header claims.
 * @param file the file's path, for errors.
 * @throws CheckpointError if the path is not a file, or the file is empty, truncated, too long, or not a well-formed safetensors file.
 */
export async function readHeader(handle: FileHandle, file: string, kind = checkpointKind): Promise<SafetensorsHeader> {
  const { name, noun, example } = kind
  const status = await handle.stat()
  if (!status.isFile()) throw new CheckpointError(`${file} is not a file: give the path of ${example}.`)
  if (status.size === 0) throw new CheckpointError(`${file} is empty: use another ${noun}.`)
  const notOne = (why: string): CheckpointError => new CheckpointError(`${file} is damaged or not ${name}: ${why}. Use another ${noun}.`)
  if (status.size <= LENGTH_BYTES) throw notOne(`${status.size} bytes are too few`)

  const lengthBytes = Buffer.alloc(LENGTH_BYTES)
  await readFully(handle, lengthBytes, 0, file, kind)
  const claimed = lengthBytes.readBigUInt64LE(0)
  if (claimed < 2n || claimed > BigInt(LARGEST_HEADER)) throw notOne(`its header claims a length of ${claimed} bytes`)
  const headerLength = Number(claimed)
  const dataBegin = LENGTH_BYTES + headerLength
  if (dataBegin > status.size) throw new CheckpointError(`${file} is truncated: its header alone has ${dataBegin} bytes, the file ${status.size}. Use another ${noun}.`)

  const text = Buffer.alloc(headerLength)
  await readFully(handle, text, LENGTH_BYTES, file, kind)
  const { tensors, metadata } = parseHeader(text, notOne)
  const dataLength = tensors.length === 0 ? 0 : tensors[tensors.length - 1].end
  if (dataBegin + dataLength > status.size) throw new CheckpointError(`${file} is truncated: it should have ${dataBegin + dataLength} bytes and has ${status.size}. Use another ${noun}.`)
  if (dataBegin + dataLength < status.size) throw notOne(`${status.size - dataBegin - dataLength} bytes follow its last tensor`)
  return { tensors, metadata, dataBegin, dataLength }
}

function parseHeader(text: Buffer, notOne: (why: string) => CheckpointError): Pick<SafetensorsHeader, 'tensors' | 'metadata'> {
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch {
    throw notOne('its header is not JSON')
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw notOne('its header is not a JSON object')

  const tensors: TensorEntry[] = []
  let metadata = new Map<string, string>()
  for (const [name, value] of Object.entries(parsed)) {
    // JSON.parse makes "__proto__" an own key like any other; zod would drop it silently.
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) throw notOne('its header has a key "__proto__"')
    if (name === METADATA_KEY) {
      const strings = metadataSchema.safeParse(value)
      if (!strings.success) throw notOne('its metadata are not strings')
      metadata = new Map(Object.entries(strings.data))
      continue
    }
    const entry = entrySchema.safeParse(value)
    if (name === '__proto__' || !entry.success) throw notOne(`its header describes ${JSON.stringify(name.slice(0, 60))} wrongly`)
    const [begin, end] = entry.data.data_offsets
    tensors.push({ name, dtype: entry.data.dtype, shape: entry.data.shape, begin, end })
  }

  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let expected = 0
  for (const { name, dtype, shape, begin, end } of tensors) {
    const shown = JSON.stringify(name.slice(0, 60))
    const bytes = Object.hasOwn(BYTES, dtype) ? BYTES[dtype] : undefined
    if (bytes === undefined) throw notOne(`tensor ${shown} has the unknown type ${JSON.stringify(dtype.slice(0, 20))}`)
    if (begin !== expected) throw notOne(`tensor ${shown} begins at ${begin} instead of ${expected}`)
    if (end - begin !== shape.reduce((a, b) => a * b, bytes)) throw notOne(`tensor ${shown} of shape [${shape.join(', ')}] cannot have ${end - begin} bytes`)
    expected = end
  }
  return { tensors, metadata }
}
