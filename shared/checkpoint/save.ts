import { createHash, type Hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { CheckpointError, messageOf } from '../kit/errors.ts'
import { viewOf, type Layout } from '../model/layout.ts'
import type { Network } from '../model/network.ts'
import { writeAtomically } from '../kit/atomic_file.ts'
import { parameterDigest } from './digest.ts'
import { CHECKSUM_KEY, DESCRIPTION_KEY, FORMAT_VERSION, layoutsOf, vectorNames, type Checkpoint, type CheckpointDescription } from './format.ts'
import { bytesOf } from '../kit/floats.ts'
import { encodeHeader, type NamedTensor } from './safetensors.ts'

/** Bytes that are hashed before the event loop gets its turn: a few milliseconds' work. */
const SLICE_BYTES = 4 * 1024 * 1024

/**
 * Writes a checkpoint: a safetensors file that is readable without Herd. Each parameter of the network is a tensor
 * "parameters/<name>", and its moments, unless it is frozen, are the tensors "<optimizer>.<moment>/<name>".
 * The file appears whole or not at all. The vectors are not copied: do not change them before the promise resolves.
 * @throws CheckpointError if the vectors do not fit the optimizer and the layout, or the file cannot be written.
 */
export async function saveCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const layouts = layoutsOf(asTrained(checkpoint), checkpoint.optimizer)
  const names = vectorNames(checkpoint.optimizer)
  const vectors = [checkpoint.parameters, ...checkpoint.moments]
  if (vectors.length !== names.length) throw new CheckpointError(`${file}: it would have ${vectors.length} vectors, but optimizer ${checkpoint.optimizer.name} has ${names.join(', ')}.`)
  vectors.forEach((vector, index) => {
    const { size } = layouts[index]
    if (vector.length !== size) throw new CheckpointError(`${file}: ${names[index]} has ${vector.length} floats, but network ${checkpoint.network.name} has ${size}.`)
  })

  const description = JSON.stringify(describe(checkpoint))
  const tensors = vectors.flatMap((vector, index) => tensorsOf(names[index], vector, layouts[index]))
  const header = encodeHeader(tensors, { [DESCRIPTION_KEY]: description, [CHECKSUM_KEY]: await checksum(description, vectors) })
  try {
    // A layout's parameters follow each other without gaps, so the vectors' bytes are the tensors' bytes.
    await writeAtomically(file, [header, ...vectors.map(bytesOf)])
  } catch (error) {
    throw new CheckpointError(`${file} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/** Computes a file's checksum: sha256 in hexadecimal, over the description, byte for byte as in the metadata, and the data section. */
export async function checksum(description: string, vectors: readonly Float32Array[]): Promise<string> {
  const hash = createHash('sha256').update(description)
  for (const vector of vectors) await hashInSlices(hash, bytesOf(vector))
  return hash.digest('hex')
}

/** Hashes slice by slice and yields to the event loop in between, so that messages of the cluster do not wait for a save. */
async function hashInSlices(hash: Hash, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    hash.update(bytes.subarray(at, at + SLICE_BYTES))
    await setImmediate()
  }
}

/** Cuts a vector into one tensor for each parameter, all of them views. */
function tensorsOf(vectorName: string, vector: Float32Array, layout: Layout): NamedTensor[] {
  return layout.parameters.map((parameter) => ({
    name: `${vectorName}/${parameter.name}`,
    shape: parameter.shape,
    values: viewOf(vector, parameter),
  }))
}

/** Returns a checkpoint's network with what is frozen of it. */
function asTrained({ network, frozen }: Pick<Checkpoint, 'network' | 'frozen'>): Network {
  return frozen === undefined ? network : { ...network, frozen: [...frozen] }
}

function describe({ classes, config, position, optimizer, datasetDigest, parameters, ...checkpoint }: Checkpoint): CheckpointDescription {
  return { formatVersion: FORMAT_VERSION, network: asTrained(checkpoint), classes, config, position, optimizer, datasetDigest, digest: parameterDigest(parameters) }
}
