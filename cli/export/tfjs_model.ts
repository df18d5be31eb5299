import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { bytesOf } from '../../shared/kit/floats.ts'
import { layoutOf, viewOf, type Parameter } from '../../shared/model/layout.ts'
import { fixedNormalisations, kerasTopology } from './keras_topology.ts'

/** Most bytes in one file of weights, as TensorFlow.js cuts them: browsers cache files up to some size only. */
const SHARD_BYTES = 4 * 1024 * 1024

/**
 * Writes a TensorFlow.js layers model into a new folder: model.json and group1-shard1of3.bin, ..., for
 * `tf.loadLayersModel`. Its metadata (`model.getUserDefinedMetadata()`) has classes and imageSize, and describes input and output.
 */
export async function writeTfjsModel(folder: string, checkpoint: Checkpoint): Promise<void> {
  const { network, classes } = checkpoint
  const weights = kerasWeights(checkpoint)
  const data = Buffer.concat(weights.map(({ values }) => bytesOf(values)))
  const count = Math.ceil(data.length / SHARD_BYTES)
  const paths = Array.from({ length: count }, (_, index) => `group1-shard${index + 1}of${count}.bin`)
  const model = {
    format: 'layers-model',
    generatedBy: 'Herd',
    convertedBy: null,
    modelTopology: kerasTopology(network),
    weightsManifest: [{ paths, weights: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })) }],
    userDefinedMetadata: {
      classes,
      imageSize: network.imageSize,
      input: `float32 [batch, ${network.imageSize}, ${network.imageSize}, 3]: RGB pixel values from 0 to 255, not normalised (the model does that)`,
      output: 'float32 [batch, classes]: logits; softmax gives probabilities',
    },
  }
  await mkdir(folder)
  for (const [index, path] of paths.entries()) await writeFile(join(folder, path), data.subarray(index * SHARD_BYTES, (index + 1) * SHARD_BYTES))
  await writeFile(join(folder, 'model.json'), JSON.stringify(model))
}

interface KerasWeight {
  name: string
  shape: readonly number[]
  values: Float32Array
}

function kerasWeights({ network, parameters }: Checkpoint): KerasWeight[] {
  const perChannel = (name: string, values: readonly number[]): KerasWeight => ({ name, shape: [values.length], values: Float32Array.from(values) })
  return [
    ...fixedNormalisations(network).flatMap(({ name, mean, variance }) => [perChannel(`${name}/moving_mean`, mean), perChannel(`${name}/moving_variance`, variance)]),
    ...layoutOf(network).parameters.map((parameter) => ({ name: kerasName(parameter), shape: parameter.shape, values: viewOf(parameters, parameter) })),
  ]
}

function kerasName({ name, role }: Parameter): string {
  const layer = name.slice(0, -role.length)
  switch (role) {
    case 'runningMean':
      return `${layer}moving_mean`
    case 'runningVariance':
      return `${layer}moving_variance`
    case 'kernel':
      return layer.startsWith('depthwiseConv2d') ? `${layer}depthwise_kernel` : name
    case 'bias':
    case 'gamma':
    case 'beta':
      return name
  }
}
