/** TensorFlow's names, in saved_model.proto, of the types that the graphs use. */
export const dataTypes = { float32: 'DT_FLOAT', int32: 'DT_INT32', uint8: 'DT_UINT8', bool: 'DT_BOOL', bfloat16: 'DT_BFLOAT16' } as const
export type ValueType = keyof typeof dataTypes
type DataType = (typeof dataTypes)[ValueType]

/** One output of a node. */
export interface Value {
  /** "node" for a node's first output, "node:index" for its others. */
  readonly reference: string
  readonly type: ValueType
}

export type Attribute =
  | { type: ValueType }
  | { int: number }
  | { float: number }
  | { bool: boolean }
  | { string: string }
  | { ints: readonly number[] }
  | { shape: readonly number[] }
  | { tensor: { type: ValueType; shape: readonly number[]; bytes: Uint8Array } }
export type Attributes = Readonly<Record<string, Attribute>>

/** A TensorShapeProto of saved_model.proto. */
export interface ShapeMessage {
  dim: { size: number }[]
}

/** An AttrValue of saved_model.proto. */
type AttributeMessage =
  | { type: DataType }
  | { i: number }
  | { f: number }
  | { b: boolean }
  | { s: Uint8Array }
  | { list: { i: readonly number[] } }
  | { shape: ShapeMessage }
  | { tensor: { dtype: DataType; tensorShape: ShapeMessage; tensorContent: Uint8Array } }

interface NodeMessage {
  name: string
  op: string
  input: string[]
  attr: Record<string, AttributeMessage>
}

/** A GraphDef of saved_model.proto. */
export interface GraphMessage {
  node: readonly NodeMessage[]
  versions: { producer: number }
}

/** Encodes a shape for saved_model.proto; -1 is a dimension that is known only when the graph runs. */
export function shapeMessage(shape: readonly number[]): ShapeMessage {
  return { dim: shape.map((size) => ({ size })) }
}

function attributeMessage(attribute: Attribute): AttributeMessage {
  if ('type' in attribute) return { type: dataTypes[attribute.type] }
  if ('int' in attribute) return { i: attribute.int }
  if ('float' in attribute) return { f: attribute.float }
  if ('bool' in attribute) return { b: attribute.bool }
  if ('string' in attribute) return { s: Buffer.from(attribute.string, 'utf8') }
  if ('ints' in attribute) return { list: { i: attribute.ints } }
  if ('shape' in attribute) return { shape: shapeMessage(attribute.shape) }
  const { type, shape, bytes } = attribute.tensor
  return { tensor: { dtype: dataTypes[type], tensorShape: shapeMessage(shape), tensorContent: bytes } }
}

/** The producer version decides which deprecated behaviours apply; this is TensorFlow 2.9's, the oldest that tfjs-node ships. */
const PRODUCER_VERSION = 987

/** Collects the nodes of a TensorFlow graph. A node is computed only if its output is needed. */
export class NodeBuilder {
  readonly #nodes: NodeMessage[] = []
  readonly #names = new Map<string, number>()
  #scope = ''

  /** Puts "scope/" before the names of the nodes that `emit` adds. */
  within<T>(scope: string, emit: () => T): T {
    const outer = this.#scope
    this.#scope = `${outer}${scope}/`
    try {
      return emit()
    } finally {
      this.#scope = outer
    }
  }

  /**
   * Adds a node with any number of outputs.
   * @param attributes every attribute that has no default, even those that the types of the inputs imply
   * @param outputs types of the outputs
   * @param name name of the node in the current scope; a number is added if it is taken
   */
  node(op: string, inputs: readonly Value[], attributes: Attributes, outputs: readonly ValueType[], name = op): Value[] {
    const unique = this.#unique(`${this.#scope}${name}`)
    const attr = Object.fromEntries(Object.entries(attributes).map(([key, attribute]) => [key, attributeMessage(attribute)]))
    this.#nodes.push({ name: unique, op, input: inputs.map(({ reference }) => reference), attr })
    return outputs.map((type, index) => ({ reference: index === 0 ? unique : `${unique}:${index}`, type }))
  }

  /** Adds a node whose type attribute T, and whose only output, have the type of its first input. */
  operation(op: string, inputs: readonly [Value, ...Value[]], attributes: Attributes = {}): Value {
    const type = inputs[0].type
    return this.node(op, inputs, { T: { type }, ...attributes }, [type])[0]
  }

  placeholder(name: string, type: ValueType, shape: readonly number[]): Value {
    return this.node('Placeholder', [], { dtype: { type }, shape: { shape } }, [type], name)[0]
  }

  floats(values: Float32Array | readonly number[], shape: readonly number[], name = 'Const'): Value {
    return this.#constant('float32', Float32Array.from(values), shape, name)
  }

  integers(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    return this.#constant('int32', Int32Array.from(values), shape, 'Const')
  }

  /** Emits one number of any type of floats. */
  scalar(value: number, type: ValueType): Value {
    return this.cast(this.floats([value], []), type)
  }

  /** Casts `x` to another type. @returns `x` itself if it already has that type */
  cast(x: Value, type: ValueType): Value {
    return x.type === type ? x : this.node('Cast', [x], { SrcT: { type: x.type }, DstT: { type } }, [type])[0]
  }

  /** Reinterprets the bits of `x` as another type; if that is smaller, the result has one more dimension at the end. */
  bitcast(x: Value, type: ValueType): Value {
    return this.node('Bitcast', [x], { T: { type: x.type }, type: { type } }, [type])[0]
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.operation('Reshape', [x, this.integers(shape)], { Tshape: { type: 'int32' } })
  }

  /** Pads with zeros. @param margins numbers of zeros before and after, of each dimension @returns the value itself if there are none */
  pad(x: Value, margins: readonly (readonly [before: number, after: number])[]): Value {
    if (margins.flat().every((count) => count === 0)) return x
    return this.operation('Pad', [x, this.integers(margins.flat(), [margins.length, 2])], { Tpaddings: { type: 'int32' } })
  }

  /** Pads images [batch, height, width, channels] with zeros: `before` above and to the left, `after` below and to the right. */
  padImages(images: Value, before: number, after: number): Value {
    return this.pad(images, [[0, 0], [before, after], [before, after], [0, 0]])
  }

  /** Concatenates values of one type along an axis. @returns the value itself if there is only one */
  concat(values: readonly Value[], axis: number): Value {
    if (values.length === 1) return values[0]
    const { type } = values[0]
    return this.node('ConcatV2', [...values, this.integers([axis], [])], { T: { type }, N: { int: values.length }, Tidx: { type: 'int32' } }, [type])[0]
  }

  /** Emits the size of every dimension of `x`, as int32. */
  shapeOf(x: Value): Value {
    return this.node('Shape', [x], { T: { type: x.type }, out_type: { type: 'int32' } }, ['int32'])[0]
  }

  /** Emits the sum or mean over some dimensions. */
  reduce(op: 'Sum' | 'Mean', x: Value, axes: readonly number[], keepDimensions = false): Value {
    return this.operation(op, [x, this.integers(axes)], { Tidx: { type: 'int32' }, keep_dims: { bool: keepDimensions } })
  }

  /** Returns all nodes added so far, as the graph of a SavedModel. */
  finish(): GraphMessage {
    return { node: this.#nodes, versions: { producer: PRODUCER_VERSION } }
  }

  #constant(type: ValueType, values: Float32Array | Int32Array, shape: readonly number[], name: string): Value {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.node('Const', [], { dtype: { type }, value: { tensor: { type, shape, bytes } } }, [type], name)[0]
  }

  #unique(name: string): string {
    const used = this.#names.get(name) ?? 0
    this.#names.set(name, used + 1)
    return used === 0 ? name : `${name}_${used}`
  }
}
