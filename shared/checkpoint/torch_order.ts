import type { Shape } from '../model/network.ts'
import type { TorchName } from '../model/torch_names.ts'

/** Returns the shape that a parameter of Herd has in PyTorch. @param kind as in `TorchName` */
export function torchShape(kind: TorchName['kind'], shape: Shape): Shape {
  switch (kind) {
    case 'conv':
    case 'depthwise': {
      const [height, width, inputs, outputs] = shape
      return kind === 'conv' ? [outputs, inputs, height, width] : [inputs, 1, height, width]
    }
    case 'dense':
      return [shape[1], shape[0]]
    case 'vector':
      return shape
  }
}

/**
 * Brings values out of PyTorch's order into Herd's.
 * @param shape the parameter's shape in Herd
 */
export function fromTorch(kind: TorchName['kind'], shape: Shape, values: Float32Array): Float32Array {
  if (kind === 'vector') return values
  // All kinds are one: a matrix [outputs, inputs, positions] becomes [positions, inputs, outputs].
  const outputs = kind === 'depthwise' ? shape[2] : shape[shape.length - 1]
  const positions = kind === 'dense' ? 1 : shape[0] * shape[1]
  const inputs = values.length / outputs / positions
  const result = new Float32Array(values.length)
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      for (let position = 0; position < positions; position++) {
        result[(position * inputs + input) * outputs + output] = values[(output * inputs + input) * positions + position]
      }
    }
  }
  return result
}
