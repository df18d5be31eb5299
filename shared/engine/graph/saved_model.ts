import { join } from 'node:path'
import protobuf from 'protobufjs'
import { makeFolders } from '../../kit/folders.ts'
import { writeAtomically } from '../../kit/atomic_file.ts'
import { ROOT } from '../../kit/project.ts'
import { dataTypes, shapeMessage, type NodeBuilder, type Value } from './node_builder.ts'

/** An input or output of a signature. In its shape, -1 is a dimension that is known only when the graph runs. */
export interface Endpoint {
  value: Value
  shape: readonly number[]
}
/** A function of the graph: the inputs that are fed and the outputs that are fetched, by name. */
export interface Signature {
  inputs: Readonly<Record<string, Endpoint>>
  outputs: Readonly<Record<string, Endpoint>>
}

/** The only schema version there is (tensorflow/cc/saved_model/constants.h). */
const SCHEMA_VERSION = 1

const SavedModel = protobuf.loadSync(join(ROOT, 'shared/engine/graph/saved_model.proto')).lookupType('herd.tensorflow.SavedModel')

/** Makes a TensorInfo of saved_model.proto. */
function tensorInfo({ value, shape }: Endpoint): object {
  return { name: value.reference.includes(':') ? value.reference : `${value.reference}:0`, dtype: dataTypes[value.type], tensorShape: shapeMessage(shape) }
}

/** Makes a SignatureDef of saved_model.proto. */
function signatureMessage({ inputs, outputs }: Signature): object {
  return { inputs: mapValues(inputs, tensorInfo), outputs: mapValues(outputs, tensorInfo), methodName: 'tensorflow/serving/predict' }
}

function mapValues<T>(record: Readonly<Record<string, T>>, map: (value: T) => object): Record<string, object> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]))
}

/**
 * Writes a SavedModel without variables: `folder`/saved_model.pb, with the tag "serve".
 * @param folder created if it is missing.
 */
export async function writeSavedModel(folder: string, graph: NodeBuilder, signatures: Readonly<Record<string, Signature>>): Promise<void> {
  const metaGraph = { metaInfoDef: { tags: ['serve'] }, graphDef: graph.finish(), signatureDef: mapValues(signatures, signatureMessage) }
  const model = SavedModel.fromObject({ savedModelSchemaVersion: SCHEMA_VERSION, metaGraphs: [metaGraph] })
  await makeFolders(folder)
  await writeAtomically(join(folder, 'saved_model.pb'), [SavedModel.encode(model).finish()])
}
