import * as tf from '@tensorflow/tfjs-core'
import type { Partners } from '../engine.ts'
import type { Layer, Network } from '../../model/network.ts'
import type { Parameter, ParameterRole } from '../../model/layout.ts'

/** A parameter of the layout and the tensor with its value. */
export interface ParameterTensor {
  readonly parameter: Parameter
  readonly tensor: tf.Tensor
}

export interface EagerSources {
  /** Parameters in the order of the layout, which is the order in which the layers take them. */
  parameters: readonly ParameterTensor[]
  /** Dropout masks in the order of `dropoutLayers`; undefined for inference. */
  masks: readonly tf.Tensor[] | undefined
}

/** Computes (value / 255 - mean) / std for each channel. @param pixels float32 [batch, imageSize, imageSize, 3] of 0..255 */
export function normalise(network: Network, pixels: tf.Tensor4D): tf.Tensor4D {
  return tf.div(tf.sub(tf.div(pixels, 255), tf.tensor1d(network.mean)), tf.tensor1d(network.std))
}

/**
 * Computes layers, in plain tfjs operations that autodiff can follow.
 * @param input float32 [batch, ...shape]; of a network its normalised images.
 * @param onStatistics called with the batch statistics of each batch norm layer, for its running averages.
 * @returns float32 [batch, ...shape]; of a network its logits.
 */
export function forward(list: readonly Layer[], input: tf.Tensor, sources: EagerSources, onStatistics: (statistic: ParameterTensor) => void): tf.Tensor {
  let parameterIndex = 0
  const take = (role: ParameterRole): ParameterTensor => {
    const next = sources.parameters[parameterIndex++]
    if (next.parameter.role !== role) throw new Error(`the layout has ${next.parameter.name} where the network needs a ${role}`)
    return next
  }
  let maskIndex = 0
  const takeMask = sources.masks === undefined ? undefined : (): tf.Tensor => (sources.masks as readonly tf.Tensor[])[maskIndex++]
  const addBias = (x: tf.Tensor, bias: boolean): tf.Tensor => (bias ? tf.add(x, take('bias').tensor) : x)

  const apply = (layer: Layer, x: tf.Tensor): tf.Tensor => {
    switch (layer.type) {
      case 'conv2d':
        return addBias(tf.conv2d(x as tf.Tensor4D, take('kernel').tensor as tf.Tensor4D, layer.stride, layer.padding), layer.bias)
      case 'depthwiseConv2d':
        return addBias(tf.depthwiseConv2d(x as tf.Tensor4D, take('kernel').tensor as tf.Tensor4D, layer.stride, layer.padding), layer.bias)
      case 'relu':
        return tf.relu(x)
      case 'relu6':
        return tf.relu6(x)
      case 'silu':
        return tf.mul(x, tf.sigmoid(x))
      case 'hardSwish':
        return tf.div(tf.mul(x, tf.relu6(tf.add(x, 3))), 6)
      case 'zeroPad': {
        const { before, after } = layer
        return tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
      }
      case 'maxPool':
        return tf.maxPool(x as tf.Tensor4D, layer.size, layer.stride, layer.padding)
      case 'averagePool':
        return tf.avgPool(x as tf.Tensor4D, layer.size, layer.stride, layer.padding)
      case 'globalAveragePool':
        return tf.mean(x, [1, 2])
      case 'flatten':
        return tf.reshape(x, [x.shape[0], -1])
      case 'dense':
        return addBias(tf.matMul(x as tf.Tensor2D, take('kernel').tensor as tf.Tensor2D), layer.bias)
      case 'dropout':
        return takeMask === undefined ? x : tf.mul(x, takeMask())
      case 'batchNorm':
        return batchNorm(x, layer.epsilon, [take('gamma'), take('beta'), take('runningMean'), take('runningVariance')])
      case 'residual': {
        const main = layers(layer.layers, x)
        return tf.add(main, layers(layer.shortcut, x))
      }
    }
  }
  const layers = (inner: readonly Layer[], x: tf.Tensor): tf.Tensor => inner.reduce((value, layer) => apply(layer, value), x)

  /**
   * y = gamma (x - mean) / sqrt(variance + epsilon) + beta. Training normalises by the lane's own mean and biased
   * variance, and reports the unbiased variance (n / (n - 1) times the biased; n / 1 for n = 1) for the running
   * average, as PyTorch and TensorFlow do. Inference normalises by the running averages, and so does a layer whose averages are frozen.
   */
  const batchNorm = (x: tf.Tensor, epsilon: number, [gamma, beta, runningMean, runningVariance]: readonly ParameterTensor[]): tf.Tensor => {
    let mean = runningMean.tensor
    let variance = runningVariance.tensor
    if (takeMask !== undefined && runningMean.parameter.frozen !== true) {
      const moments = tf.moments(x, x.shape.slice(0, -1).map((_, axis) => axis))
      mean = moments.mean
      variance = moments.variance
      const n = x.size / x.shape[x.shape.length - 1]
      onStatistics({ parameter: runningMean.parameter, tensor: mean })
      onStatistics({ parameter: runningVariance.parameter, tensor: tf.mul(variance, n / Math.max(n - 1, 1)) })
    }
    return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, epsilon))), gamma.tensor), beta.tensor)
  }

  return layers(list, input)
}

/** Cross entropy against (1 - s) one-hot + s / classes, summed over the samples. */
export function crossEntropySum(network: Network, logits: tf.Tensor2D, labels: tf.Tensor1D, partners?: Partners): tf.Scalar {
  const targets = targetsOf(network, labels, partners)
  const likelihoods = tf.logSoftmax(logits)
  if (network.loss === undefined) return tf.neg(tf.sum(tf.mul(targets, likelihoods)))
  const { gamma, classWeights } = network.loss
  const weighted = classWeights === undefined ? targets : tf.mul(targets, tf.tensor1d(classWeights))
  const missed = tf.pow(tf.sub(1, tf.softmax(logits)), gamma)
  return tf.neg(tf.sum(tf.mul(weighted, gamma === 0 ? likelihoods : tf.mul(missed, likelihoods))))
}

function targetsOf({ labelSmoothing, classes }: Network, labels: tf.Tensor1D, partners: Partners | undefined): tf.Tensor {
  const off = labelSmoothing / classes
  const smoothed = (of: tf.Tensor1D): tf.Tensor => tf.oneHot(of, classes, 1 - labelSmoothing + off, off, 'float32')
  if (partners === undefined) return smoothed(labels)
  const share = tf.tensor2d(partners.share.slice(), [partners.share.length, 1])
  return tf.add(tf.mul(share, smoothed(labels)), tf.mul(tf.sub(1, share), smoothed(tf.tensor1d(partners.labels.slice(), 'int32'))))
}
