import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from '../../kit/atomic_file.ts'
import { MessageWriter } from './protobuf.ts'
import { numberOfType, shapeMessage, type NodeBuilder, type Value } from './node_builder.ts'

/** An input or output of a signature: -1 is a dimension that is known only when the graph runs. */
export interface Endpoint {
  value: Value
  shape: readonly number[]
}
/** A function of the graph: what is fed and what is fetched, by name. */
export interface Signature {
  inputs: Readonly<Record<string, Endpoint>>
  outputs: Readonly<Record<string, Endpoint>>
}

/** The only schema version there is (tensorflow/cc/saved_model/constants.h). */
const SCHEMA_VERSION = 1

/** TensorInfo of tensorflow/core/protobuf/meta_graph.proto. */
function tensorInfo({ value, shape }: Endpoint): MessageWriter {
  const name = value.reference.includes(':') ? value.reference : `${value.reference}:0`
  return new MessageWriter().string(1, name).integer(2, numberOfType(value.type)).message(3, shapeMessage(shape))
}

function signatureMessage(signature: Signature): MessageWriter {
  const message = new MessageWriter()
  for (const [name, endpoint] of Object.entries(signature.inputs)) message.entry(1, name, tensorInfo(endpoint))
  for (const [name, endpoint] of Object.entries(signature.outputs)) message.entry(2, name, tensorInfo(endpoint))
  return message.string(3, 'tensorflow/serving/predict')
}

/**
 * Writes a SavedModel without variables: `folder`/saved_model.pb, with the tag "serve".
 * @param folder made where it is missing.
 */
export async function writeSavedModel(folder: string, graph: NodeBuilder, signatures: Readonly<Record<string, Signature>>): Promise<void> {
  const metaGraph = new MessageWriter()
    .message(1, new MessageWriter().string(4, 'serve'))
    .message(2, graph.finish())
  for (const [name, signature] of Object.entries(signatures)) metaGraph.entry(5, name, signatureMessage(signature))
  const model = new MessageWriter().integer(1, SCHEMA_VERSION).message(2, metaGraph)
  await mkdir(folder, { recursive: true })
  await writeAtomically(join(folder, 'saved_model.pb'), [model.finish()])
}
