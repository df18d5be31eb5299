import type { Parameter } from '../../model/layout.ts'
import { outputShape, type Shape } from '../../model/network.ts'
import type { GraphForms } from './forms.ts'
import { favoursProducts, productKernelGradient } from './kernel_gradient.ts'
import { productInputGradient } from './product_convolution.ts'
import { poolAttributes, windowAttributes, type Step } from './forward.ts'
import type { NodeBuilder, Value } from './node_builder.ts'

/**
 * Backpropagation: emits the gradients of the forward pass's steps, from the last step to the first. `dy` is the gradient
 * of the loss with respect to a step's output, `dx` with respect to its input. These have the step's own type; gradients of
 * parameters are float32.
 */
export class Backward {
  /** Gradient of each parameter that the optimizer steps: none of a frozen one. */
  readonly gradients = new Map<Parameter, Value>()
  readonly #graph: NodeBuilder
  readonly #forms: GraphForms

  constructor(graph: NodeBuilder, forms: GraphForms) {
    this.#graph = graph
    this.#forms = forms
  }

  /** True on processors where the library's gradients of kernels are slow, and where they are to be the same on all. */
  get #hasProducts(): boolean {
    return this.#forms === 'products' || this.#forms === 'portable'
  }

  /**
   * Emits the gradients of a sequence of steps.
   * @param dy gradient with respect to the last step's output
   * @param needed true if the caller uses the gradient with respect to the first step's input. Otherwise it is not
   *   emitted: for the first convolution, it would be among the most expensive of all.
   * @returns that gradient, if it is needed.
   */
  steps(steps: readonly Step[], dy: Value, needed: boolean): Value | undefined {
    const first = needed ? 0 : steps.findIndex(isTrained)
    if (first < 0) return undefined
    let gradient: Value | undefined = dy
    for (let index = steps.length - 1; index >= first && gradient !== undefined; index--) {
      const step = steps[index]
      const dOutput: Value = gradient
      gradient = this.#graph.within(`${step.type}_gradient`, () => this.#step(step, dOutput, needed || index > first))
    }
    return gradient
  }

  #step(step: Step, dy: Value, needed: boolean): Value | undefined {
    const graph = this.#graph
    switch (step.type) {
      case 'conv2d':
      case 'depthwiseConv2d':
        return this.#convolution(step, dy, needed)
      case 'dense': {
        this.#bias(step.biasParameter, dy)
        // y = x W, so that dW = x' dy and dx = dy W'.
        if (isStepped(step.kernelParameter)) this.#store(step.kernelParameter, graph.operation('MatMul', [step.input, dy], { transpose_a: { bool: true } }))
        return needed ? graph.operation('MatMul', [dy, step.kernel], { transpose_b: { bool: true } }) : undefined
      }
      case 'relu':
        // The gradient passes where the output is positive, which is where the input was.
        return graph.operation('ReluGrad', [dy, step.output])
      case 'relu6':
        return graph.operation('Relu6Grad', [dy, step.output])
      case 'silu':
        return this.#silu(step, dy)
      case 'hardSwish':
        return this.#hardSwish(step, dy)
      case 'zeroPad': {
        const [height, width, channels] = step.inputShape
        const { before } = step.layer
        return graph.operation('Slice', [dy, graph.integers([0, before, before, 0]), graph.integers([-1, height, width, channels])], { Index: { type: 'int32' } })
      }
      case 'maxPool':
        return graph.operation('MaxPoolGrad', [step.input, step.output, dy], poolAttributes(step.layer))
      case 'averagePool':
        return graph.node('AvgPoolGrad', [graph.shapeOf(step.input), dy], { T: { type: dy.type }, ...poolAttributes(step.layer) }, [dy.type])[0]
      case 'globalAveragePool': {
        const [height, width, channels] = step.inputShape
        const share = graph.operation('Mul', [dy, graph.floats([1 / (height * width)], [])])
        return graph.operation('BroadcastTo', [graph.reshape(share, [-1, 1, 1, channels]), graph.shapeOf(step.input)], { Tidx: { type: 'int32' } })
      }
      case 'reshape':
        return graph.reshape(dy, [-1, ...step.inputShape])
      case 'cast':
        return graph.cast(dy, step.from)
      case 'dropout':
        return graph.operation('Mul', [dy, step.mask])
      case 'batchNorm':
        return this.#batchNorm(step, dy)
      case 'frozenNorm':
        return this.#frozenNorm(step, dy)
      case 'residual': {
        const main = this.steps(step.main, dy, needed)
        const shortcut = this.steps(step.shortcut, dy, needed)
        return main === undefined || shortcut === undefined ? undefined : graph.operation('AddV2', [main, shortcut])
      }
    }
  }

  #convolution(step: Extract<Step, { type: 'conv2d' | 'depthwiseConv2d' }>, dy: Value, needed: boolean): Value | undefined {
    const graph = this.#graph
    const operation = step.type === 'conv2d' ? 'Conv2DBackprop' : 'DepthwiseConv2dNativeBackprop'
    const attributes = { T: { type: dy.type }, ...windowAttributes(step.layer) }
    const output = outputShape(step.layer, step.inputShape)
    // TensorFlow fuses the gradients of kernel and bias if both take the same dy, and the fused operation sums the bias's in a plain loop: a dy of
    // another shape prevents this.
    this.#bias(step.biasParameter, this.#hasProducts ? graph.reshape(dy, [-1, output[2]]) : dy)
    if (isStepped(step.kernelParameter)) {
      const kernelGradient = this.#products(step, dy, output)
        ?? graph.node(`${operation}Filter`, [step.input, graph.integers(step.kernelParameter.shape), dy], attributes, [dy.type])[0]
      this.#store(step.kernelParameter, kernelGradient)
    }
    if (!needed) return undefined
    if (this.#forms === 'portable' && step.layer.type === 'conv2d') return productInputGradient(graph, step.kernel, dy, { ...step.layer, inputShape: step.inputShape, outputShape: output })
    return graph.node(`${operation}Input`, [graph.shapeOf(step.input), step.kernel, dy], attributes, [dy.type])[0]
  }

  /** Emits the kernel's gradient as matrix products, if these are faster. */
  #products(step: Extract<Step, { type: 'conv2d' | 'depthwiseConv2d' }>, dy: Value, output: Shape): Value | undefined {
    if (!this.#hasProducts || step.layer.type !== 'conv2d' || step.layer.stride !== 1) return undefined
    const convolution = { ...step.layer, inputShape: step.inputShape, outputShape: output }
    return favoursProducts(convolution) ? productKernelGradient(this.#graph, step.input, dy, convolution) : undefined
  }

  /** y = x s, with s = sigmoid(x), has the slope s + x s (1 - s) = s + y (1 - s). */
  #silu({ sigmoid, output }: Extract<Step, { type: 'silu' }>, dy: Value): Value {
    const graph = this.#graph
    const slope = graph.operation('AddV2', [sigmoid, graph.operation('Mul', [output, graph.operation('Sub', [graph.scalar(1, dy.type), sigmoid])])])
    return graph.operation('Mul', [dy, slope])
  }

  /** y = x g / 6, with g = ReLU6(x + 3), has the slope g / 6 + x g' / 6. */
  #hardSwish({ input, gate }: Extract<Step, { type: 'hardSwish' }>, dy: Value): Value {
    const graph = this.#graph
    const share = graph.operation('RealDiv', [dy, graph.scalar(6, dy.type)])
    const throughGate = graph.operation('Relu6Grad', [graph.operation('Mul', [share, input]), gate])
    return graph.operation('AddV2', [graph.operation('Mul', [share, gate]), throughGate])
  }

  #batchNorm(step: Extract<Step, { type: 'batchNorm' }>, dy: Value): Value {
    const [dx, dGamma, dBeta] = this.#graph.node(
      'FusedBatchNormGradV3',
      [dy, step.input, step.gamma.value, ...step.reserved],
      { T: { type: dy.type }, U: { type: 'float32' }, epsilon: { float: step.layer.epsilon }, is_training: { bool: true } },
      [dy.type, 'float32', 'float32', 'float32', 'float32'],
    )
    if (isStepped(step.gamma.parameter)) this.#store(step.gamma.parameter, dGamma)
    if (isStepped(step.betaParameter)) this.#store(step.betaParameter, dBeta)
    return dx
  }

  /** y = gamma (x - mean) / sqrt(variance + epsilon) + beta with constants, so that a channel's gradient is multiplied by one. */
  #frozenNorm({ layer, gamma, variance }: Extract<Step, { type: 'frozenNorm' }>, dy: Value): Value {
    const graph = this.#graph
    const slope = graph.operation('Mul', [gamma, graph.operation('Rsqrt', [graph.operation('AddV2', [variance, graph.floats([layer.epsilon], [])])])])
    return graph.operation('Mul', [dy, graph.cast(slope, dy.type)])
  }

  /** A bias is added to every sample and pixel, so that its gradient is the sum over them. */
  #bias(parameter: Parameter | undefined, dy: Value): void {
    if (parameter !== undefined && isStepped(parameter)) this.#store(parameter, this.#graph.operation('BiasAddGrad', [dy]))
  }

  #store(parameter: Parameter, gradient: Value): void {
    this.gradients.set(parameter, this.#graph.cast(gradient, 'float32'))
  }
}

function isStepped(parameter: Parameter): boolean {
  return parameter.frozen !== true
}

/** True if a step has parameters that are not frozen. */
function isTrained(step: Step): boolean {
  switch (step.type) {
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'dense':
      return isStepped(step.kernelParameter) || (step.biasParameter !== undefined && isStepped(step.biasParameter))
    case 'batchNorm':
      return isStepped(step.gamma.parameter) || isStepped(step.betaParameter)
    case 'residual':
      return step.main.some(isTrained) || step.shortcut.some(isTrained)
    case 'frozenNorm':
    case 'relu':
    case 'relu6':
    case 'silu':
    case 'hardSwish':
    case 'zeroPad':
    case 'maxPool':
    case 'averagePool':
    case 'globalAveragePool':
    case 'reshape':
    case 'cast':
    case 'dropout':
      return false
  }
}
