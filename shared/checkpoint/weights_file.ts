import type { FileHandle } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { CheckpointError } from '../kit/errors.ts'
import { floatsFrom, isFloatType } from './elements.ts'
import type { NamedTensor, TensorEntry } from './safetensors.ts'
import { readFully, readHeader, withFile, type FileKind, type SafetensorsHeader } from './safetensors_reader.ts'

/** Weights that some program has written as safetensors. */
export interface WeightsFile {
  /** Tensors of floating-point numbers as float32. */
  tensors: NamedTensor[]
  /** sha256 of the whole file, in hexadecimal. */
  sha256: string
}

const weightsKind: FileKind = { name: 'a safetensors file', noun: 'file', example: 'a safetensors file' }

const BLOCK_BYTES = 1 << 22

/** Reads what a safetensors file has, without its tensors' bytes. @throws CheckpointError that names the file and what is wrong with it */
export function readWeightsHeader(file: string): Promise<SafetensorsHeader> {
  return withFile(file, (handle) => readHeader(handle, file, weightsKind))
}

/**
 * Reads all tensors of floating-point numbers from a safetensors file, whoever wrote it; tensors of integers are passed over.
 * @throws CheckpointError that names the file and what is wrong with it
 */
export function readWeightsFile(file: string): Promise<WeightsFile> {
  return withFile(file, async (handle) => {
    const { tensors: entries, dataBegin } = await readHeader(handle, file, weightsKind)
    const sha256 = await hashOf(handle)
    const tensors: NamedTensor[] = []
    for (const entry of entries) {
      const values = await valuesOf(handle, entry, dataBegin, file)
      if (values !== undefined) tensors.push({ name: entry.name, shape: entry.shape, values })
    }
    return { tensors, sha256 }
  })
}

/** Hashes a file without reading its weights. @throws CheckpointError if it cannot be opened */
export function weightsFileHash(file: string): Promise<string> {
  return withFile(file, hashOf)
}

async function valuesOf(handle: FileHandle, { name, dtype, begin, end }: TensorEntry, dataBegin: number, file: string): Promise<Float32Array | undefined> {
  if (!isFloatType(dtype)) return undefined
  const bytes = Buffer.allocUnsafe(end - begin)
  await readFully(handle, bytes, dataBegin + begin, file, weightsKind)
  const values = floatsFrom(dtype, bytes)
  if (!values.every(Number.isFinite)) throw new CheckpointError(`${file}: tensor ${name} has a value that is not a finite number. Use another file.`)
  return values
}

async function hashOf(handle: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  const block = Buffer.allocUnsafe(BLOCK_BYTES)
  let position = 0
  while (true) {
    const { bytesRead } = await handle.read(block, 0, block.length, position)
    if (bytesRead === 0) return hash.digest('hex')
    hash.update(block.subarray(0, bytesRead))
    position += bytesRead
  }
}
