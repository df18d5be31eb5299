import { join } from 'node:path'
import protobuf from 'protobufjs'
import { bytesOf } from '../../shared/kit/floats.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { versionsOf } from '../../shared/kit/versions.ts'

/** Version of the operators' meaning. This one is read by all that reads ONNX today: runtimes of phones and browsers are years behind the newest. */
const OPSET = 13
/** Version of the file format that belongs to that opset. */
const IR_VERSION = 7

const Model = protobuf.loadSync(join(ROOT, 'cli/export/onnx.proto')).lookupType('herd.onnx.ModelProto')
const dataTypes = { float: 1, int64: 7 } as const
const attributeTypes = { float: 1, int: 2, ints: 7 } as const

/** An operator's setting; ONNX tells whole numbers, lists of them, and floats apart. */
type Attribute = { int: number } | { ints: readonly number[] } | { float: number }

/** An input or output of the graph: a float32 tensor, in whose shape a name is a dimension that is known only when the model runs. */
export interface Endpoint {
  name: string
  shape: readonly (number | string)[]
  description: string
}

/** A graph of ONNX's operators that is being written. Values have names; those of a node's output and of the node are the same. */
export class OnnxGraph {
  readonly #nodes: { name: string; opType: string; input: string[]; output: string[]; attribute: object[] }[] = []
  readonly #tensors: object[] = []

  /** Adds a float32 tensor that is part of the model. @returns its name */
  floats(name: string, shape: readonly number[], values: Float32Array): string {
    this.#tensors.push({ name, dims: shape, dataType: dataTypes.float, rawData: bytesOf(values) })
    return name
  }

  /** Adds a vector of whole numbers that is part of the model. @returns its name */
  integers(name: string, values: readonly number[]): string {
    this.#tensors.push({ name, dims: [values.length], dataType: dataTypes.int64, rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer) })
    return name
  }

  /** Adds an operator. @returns the name of its output, which is `name` */
  node(name: string, operator: string, input: string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    this.#nodes.push({ name, opType: operator, input, output: [name], attribute: Object.entries(attributes).map(([key, value]) => attributeMessage(key, value)) })
    return name
  }

  /**
   * Encodes the model. The output of the last node becomes the graph's output.
   * @param metadata texts that travel in the file, by key
   */
  finish({ name, description, input, output, metadata }: { name: string; description: string; input: Endpoint; output: Endpoint; metadata: Readonly<Record<string, string>> }): Uint8Array {
    const last = this.#nodes.length - 1
    const node = this.#nodes.map((each, index) => (index === last ? { ...each, output: [output.name] } : each))
    return Model.encode({
      irVersion: IR_VERSION,
      producerName: 'Herd',
      producerVersion: versionsOf().herd,
      docString: description,
      graph: { name, node, initializer: this.#tensors, input: [endpointMessage(input)], output: [endpointMessage(output)] },
      opsetImport: [{ version: OPSET }],
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    }).finish()
  }
}

function attributeMessage(name: string, attribute: Attribute): object {
  if ('int' in attribute) return { name, type: attributeTypes.int, i: attribute.int }
  if ('ints' in attribute) return { name, type: attributeTypes.ints, ints: attribute.ints }
  return { name, type: attributeTypes.float, f: attribute.float }
}

function endpointMessage({ name, shape, description }: Endpoint): object {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name, docString: description, type: { tensorType: { elemType: dataTypes.float, shape: { dim } } } }
}
