import { ShapeError, walkLayers, type Network, type Shape } from './network.ts'

/** The role of a parameter. It decides the initial value, and whether the optimizer or a running average updates it. */
export type ParameterRole = 'kernel' | 'bias' | 'gamma' | 'beta' | 'runningMean' | 'runningVariance'

/** One tensor inside the flat parameter vector. */
export interface Parameter {
  /** Unique path, e.g. "conv2d_3/kernel"; layers are numbered by type in the order of computation. */
  name: string
  role: ParameterRole
  shape: Shape
  /** Index of the first element in the flat vector; `size` is the number of elements. */
  offset: number
  size: number
  /** Number of inputs that one output sums over (for initial values); 0 where it has no meaning. */
  fanIn: number
  /** Weight that the running average keeps at each step; only for batch norm's running statistics. */
  momentum?: number
  /** Factor of the learning rate with which the optimizer steps it; undefined means 1. */
  rateFactor?: number
  /** True if it keeps its initial value: it is then no part of the vector that is exchanged and stepped, but of another one. */
  frozen?: true
}

/** A flat float32 vector: parameters in the order of computation. */
export interface Layout {
  parameters: readonly Parameter[]
  /** Number of floats of the whole vector, running statistics included. */
  size: number
}

/** True if a parameter is a running statistic, which is averaged and not stepped by the optimizer. */
export function isStatistic(parameter: Parameter): boolean {
  return parameter.role === 'runningMean' || parameter.role === 'runningVariance'
}

/** Returns the name of the layer that a parameter belongs to. */
export function layerOf({ name, role }: Pick<Parameter, 'name' | 'role'>): string {
  return name.slice(0, -role.length - 1)
}

/**
 * Lays out the vector that is exchanged and stepped: all parameters that are not frozen, in the order in which engines meet them when they walk the layers (a residual's main branch first).
 * @throws ShapeError if a layer does not fit its input, or what is frozen is not as it should be
 */
export function layoutOf(network: Network): Layout {
  return packed(parametersOf(network).filter(({ frozen }) => frozen !== true))
}

/** Lays out the vector of the frozen parameters, which stays as it is. @throws ShapeError as `layoutOf` */
export function frozenLayoutOf(network: Network): Layout {
  return packed(parametersOf(network).filter(({ frozen }) => frozen === true))
}

/** Lays out all parameters in one vector, which is stored and digested. Where nothing is frozen, it is that of `layoutOf`. @throws ShapeError as `layoutOf` */
export function wholeLayoutOf(network: Network): Layout {
  return packed(parametersOf(network))
}

/** Puts parameters one behind the other. */
function packed(parameters: readonly Parameter[]): Layout {
  let size = 0
  const placed = parameters.map((parameter) => {
    const offset = size
    size += parameter.size
    return { ...parameter, offset }
  })
  return { parameters: placed, size }
}

/** Lists all parameters in the order of computation, not placed yet. */
function parametersOf(network: Network): Parameter[] {
  const parameters: Parameter[] = []
  const frozen = new Set(network.frozen)

  const add = (layer: string, role: ParameterRole, shape: Shape, fanIn: number, momentum?: number): void => {
    const name = `${layer}/${role}`
    const size = shape.reduce((a, b) => a * b, 1)
    parameters.push({ name, role, shape, offset: 0, size, fanIn, ...(momentum === undefined ? {} : { momentum }), ...(frozen.has(name) ? { frozen: true } : {}) })
  }

  for (const { name, layer, input } of walkLayers(network)) {
    const channels = input[input.length - 1]
    switch (layer.type) {
      case 'conv2d': {
        const fanIn = layer.kernel * layer.kernel * channels
        add(name, 'kernel', [layer.kernel, layer.kernel, channels, layer.filters], fanIn)
        if (layer.bias) add(name, 'bias', [layer.filters], fanIn)
        break
      }
      case 'depthwiseConv2d': {
        const fanIn = layer.kernel * layer.kernel
        add(name, 'kernel', [layer.kernel, layer.kernel, channels, 1], fanIn)
        if (layer.bias) add(name, 'bias', [channels], fanIn)
        break
      }
      case 'dense':
        add(name, 'kernel', [channels, layer.units], channels)
        if (layer.bias) add(name, 'bias', [layer.units], channels)
        break
      case 'batchNorm':
        add(name, 'gamma', [channels], 0)
        add(name, 'beta', [channels], 0)
        add(name, 'runningMean', [channels], 0, layer.momentum)
        add(name, 'runningVariance', [channels], 0, layer.momentum)
        break
      case 'residual':
      case 'relu':
      case 'relu6':
      case 'silu':
      case 'hardSwish':
      case 'zeroPad':
      case 'maxPool':
      case 'averagePool':
      case 'globalAveragePool':
      case 'flatten':
      case 'dropout':
        break
    }
  }
  if (frozen.size > 0) requireFrozen(frozen, parameters)
  return parameters
}

/** @throws ShapeError if names are unknown, nothing is left to train, or a batch norm's statistics are not frozen exactly if its gamma and beta are */
function requireFrozen(names: ReadonlySet<string>, parameters: readonly Parameter[]): void {
  if (parameters.filter(({ frozen }) => frozen).length < names.size) throw new ShapeError('parameters are frozen that the network does not have.')
  if (parameters.every((parameter) => parameter.frozen === true || isStatistic(parameter))) throw new ShapeError('all parameters are frozen: nothing is left to train.')
  for (const parameter of parameters) {
    if (isStatistic(parameter) && (parameter.frozen === true) !== hasFrozenNorm(layerOf(parameter), names)) throw new ShapeError(`${parameter.name} is not frozen together with gamma and beta.`)
  }
}

/** True if gamma and beta of a batch norm are both frozen: its running statistics then are, too. @param names frozen parameters */
export function hasFrozenNorm(layer: string, names: ReadonlySet<string>): boolean {
  return names.has(`${layer}/gamma`) && names.has(`${layer}/beta`)
}

/**
 * Finds the parameter that an element of the flat vector belongs to.
 * @returns undefined if `index` is undefined or outside the vector
 */
export function parameterAt(layout: Layout, index: number | undefined): Parameter | undefined {
  return index === undefined ? undefined : layout.parameters.find(({ offset, size }) => index >= offset && index < offset + size)
}

/**
 * Returns the layout of a range of the flat vector, as if it were a vector of its own whose element 0 is `begin`. A parameter that is cut has
 * `offset` and `size` of the part in the range, but the name and the shape of the whole.
 */
export function layoutOfRange(layout: Layout, { begin, end }: { begin: number; end: number }): Layout {
  const parameters = layout.parameters.flatMap((parameter) => {
    const from = Math.max(begin, parameter.offset)
    const to = Math.min(end, parameter.offset + parameter.size)
    return from < to ? [{ ...parameter, offset: from - begin, size: to - from }] : []
  })
  return { parameters, size: end - begin }
}

/** Returns the part of a flat vector that belongs to one parameter: a view, not a copy. */
export function viewOf(vector: Float32Array, parameter: Parameter): Float32Array {
  return vector.subarray(parameter.offset, parameter.offset + parameter.size)
}
