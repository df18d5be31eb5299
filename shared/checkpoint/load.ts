import type { FileHandle } from 'node:fs/promises'
import { z } from 'zod'
import { CheckpointError, messageOf, NewerCheckpointError } from '../kit/errors.ts'
import { thawed } from '../model/frozen.ts'
import type { Layout } from '../model/layout.ts'
import { checkNetwork } from '../model/network.ts'
import { CHECKSUM_KEY, DESCRIPTION_KEY, descriptionSchema, FORMAT_VERSION, layoutsOf, vectorNames, type Checkpoint, type CheckpointDescription, type CheckpointPosition } from './format.ts'
import { readFully, readHeader, withFile, type SafetensorsHeader } from './safetensors_reader.ts'
import { bytesOf } from '../kit/floats.ts'
import { checksum } from './save.ts'

/**
 * Reads a checkpoint and checks all of it: the header, the description, that the tensors are exactly those of its network, and the checksum.
 * Memory for tensors is allocated only once the header has been found consistent with the network and the file's size.
 * @throws CheckpointError that names the file and what to do; NewerCheckpointError if a newer Herd has written it.
 */
export function loadCheckpoint(file: string): Promise<Checkpoint> {
  return withFile(file, async (handle) => {
    const { header, text, expected, description } = await readDescription(handle, file)
    const vectors = checkedLayouts(description, header, file).map(({ size }) => new Float32Array(size))
    let at = header.dataBegin
    for (const vector of vectors) {
      await readFully(handle, bytesOf(vector), at, file)
      at += vector.byteLength
    }
    if ((await checksum(text, vectors)) !== expected) throw new CheckpointError(`${file} is damaged: its bytes do not match its checksum. Use another checkpoint.`)

    const { network, classes, config, position, optimizer, datasetDigest } = description
    const [parameters, ...moments] = vectors
    return { network: thawed(network), ...(network.frozen === undefined ? {} : { frozen: network.frozen }), classes, config, position, optimizer, datasetDigest, parameters, moments }
  })
}

/**
 * Reads how far a checkpoint's run had come, but not its tensors, so that checkpoints can be ordered before one is loaded.
 * @throws CheckpointError that names the file and what to do; NewerCheckpointError if a newer Herd has written it.
 */
export function readPosition(file: string): Promise<CheckpointPosition> {
  return withFile(file, async (handle) => (await readDescription(handle, file)).description.position)
}

async function readDescription(handle: FileHandle, file: string): Promise<{ header: SafetensorsHeader; text: string; expected: string; description: CheckpointDescription }> {
  const header = await readHeader(handle, file)
  const text = header.metadata.get(DESCRIPTION_KEY)
  const expected = header.metadata.get(CHECKSUM_KEY)
  if (text === undefined || expected === undefined) throw new CheckpointError(`${file} is a safetensors file, but not a checkpoint of Herd: give one from a run's checkpoints folder.`)
  return { header, text, expected, description: parseDescription(text, file) }
}

const versionSchema = z.object({ formatVersion: z.number() })

function parseDescription(text: string, file: string): CheckpointDescription {
  const damaged = (why: string, cause?: unknown): CheckpointError => new CheckpointError(`${file} is damaged: ${why}. Use another checkpoint.`, { cause })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw damaged('its description is not JSON', error)
  }
  const version = versionSchema.safeParse(json)
  if (version.success && version.data.formatVersion > FORMAT_VERSION) {
    throw new NewerCheckpointError(`${file} has checkpoint format ${version.data.formatVersion}, this Herd reads ${FORMAT_VERSION}: use a newer Herd.`)
  }
  try {
    return descriptionSchema.parse(json)
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw damaged(`its description cannot be read (${messageOf(error)})`, error)
    const [issue] = error.issues
    throw damaged(`in its description, ${issue.path.join('.') || 'the whole'}: ${issue.message}`, error)
  }
}

/** Checks that the class names and the file's tensors fit the described network. @returns the layout of each vector @throws CheckpointError if they do not */
function checkedLayouts({ network, classes, optimizer }: CheckpointDescription, header: SafetensorsHeader, file: string): Layout[] {
  const unfit = (why: string, cause?: unknown): CheckpointError => new CheckpointError(`${file} does not fit its own network ${network.name}: ${why}. Use another checkpoint.`, { cause })
  if (classes.length !== network.classes) throw unfit(`${classes.length} class names for ${network.classes} logits`)
  let layouts: Layout[]
  try {
    checkNetwork(network)
    layouts = layoutsOf(network, optimizer)
  } catch (error) {
    throw unfit(messageOf(error).replace(/\.$/, ''), error)
  }

  const parts = vectorNames(optimizer).flatMap((vector, index) => layouts[index].parameters.map(({ name, shape }) => ({ name: `${vector}/${name}`, shape })))
  if (header.tensors.length !== parts.length) throw unfit(`it has ${header.tensors.length} tensors instead of ${parts.length}`)
  for (const [index, { name, shape }] of parts.entries()) {
    const tensor = header.tensors[index]
    if (tensor.name !== name) throw unfit(`where ${name} is expected, it has ${JSON.stringify(tensor.name.slice(0, 60))}`)
    if (tensor.dtype !== 'F32' || tensor.shape.join() !== shape.join()) throw unfit(`${name} is ${tensor.dtype} [${tensor.shape.join(', ')}] instead of F32 [${shape.join(', ')}]`)
  }
  return layouts
}
