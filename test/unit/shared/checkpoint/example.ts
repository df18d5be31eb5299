import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Checkpoint } from '../../../../shared/checkpoint/checkpoint.ts'
import { layoutOf, viewOf } from '../../../../shared/model/layout.ts'
import { networkSchema, type Network } from '../../../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

/** Makes a folder that is removed after the test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'herd-test-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A network with a small layer of every kind that has parameters, and with a flatten whose order matters. */
export const smallNetwork: Network = networkSchema.parse({
  name: 'small', imageSize: 9, classes: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225],
  layers: [
    { type: 'conv2d', filters: 4, kernel: 3 },
    { type: 'relu' },
    { type: 'maxPool', size: 2, stride: 2 },
    { type: 'flatten' },
    { type: 'dropout', rate: 0.25 },
    { type: 'dense', units: 5 },
    { type: 'relu' },
    { type: 'dense', units: 3 },
  ],
})

/** A network with every layer type, strides, both paddings, and residuals with and without a shortcut. */
export const everyLayerNetwork: Network = networkSchema.parse({
  name: 'every-layer', imageSize: 14, classes: 3, mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3],
  layers: [
    { type: 'conv2d', filters: 6, kernel: 3, stride: 2, padding: 'same', bias: false },
    { type: 'batchNorm', epsilon: 1e-3 },
    { type: 'relu' },
    { type: 'residual', layers: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'conv2d', filters: 6, kernel: 1 }], shortcut: [] },
    { type: 'averagePool', size: 2, stride: 1, padding: 'same' },
    { type: 'residual', layers: [{ type: 'conv2d', filters: 8, kernel: 2, padding: 'same' }, { type: 'maxPool', size: 2, stride: 2, padding: 'same' }], shortcut: [{ type: 'conv2d', filters: 8, kernel: 1, stride: 2, padding: 'same' }] },
    { type: 'relu' },
    { type: 'depthwiseConv2d', kernel: 2, bias: false },
    { type: 'relu6' },
    { type: 'zeroPad', before: 1, after: 2 },
    { type: 'depthwiseConv2d', kernel: 3, stride: 2 },
    { type: 'hardSwish' },
    { type: 'maxPool', size: 3, stride: 2, padding: 'same' },
    { type: 'flatten' },
    { type: 'batchNorm' },
    { type: 'dense', units: 7, bias: false },
    { type: 'batchNorm' },
    { type: 'residual', layers: [{ type: 'dense', units: 7 }, { type: 'silu' }], shortcut: [] },
    { type: 'hardSwish' },
    { type: 'dense', units: 3 },
  ],
})

/** A checkpoint with keyed random values; variances are positive. */
export function exampleCheckpoint(network: Network = smallNetwork): Checkpoint {
  const layout = layoutOf(network)
  const random = new KeyedRandom(7, Purpose.init)
  const draw = (low: number, high: number): Float32Array => Float32Array.from({ length: layout.size }, () => random.between(low, high))
  const parameters = draw(-0.6, 0.6)
  for (const { role, offset, size } of layout.parameters) if (role === 'runningVariance') for (let i = offset; i < offset + size; i++) parameters[i] = random.between(0.3, 2)
  return {
    network,
    classes: ['cane', 'gatto', 'ragno'],
    config: { seed: 7, batch: 64, lr: 1e-4, model: 'small', nested: { precision: 'f32' } },
    position: { epoch: 2, step: 17, stepInEpoch: 5, skippedSteps: 3, epochSkippedSteps: 1, epochLossSum: 12.75, epochCorrect: 90, epochImages: 320, epochSeconds: 1.5, images: 1088, seconds: 4.25 },
    datasetDigest: 'a'.repeat(64),
    optimizer: { name: 'adam', moments: ['m', 'v'] },
    parameters,
    moments: [draw(-0.1, 0.1), draw(0, 0.1)],
  }
}

/**
 * The same with kernels and batch norm's factors twice as large: as they are above, the logits of a deep network hardly depend on its image any more, and what an
 * export does wrong in its first layers would be lost in rounding.
 */
export function tellingCheckpoint(network: Network): Checkpoint {
  const checkpoint = exampleCheckpoint(network)
  for (const parameter of layoutOf(network).parameters) {
    if (parameter.role !== 'kernel' && parameter.role !== 'gamma') continue
    const values = viewOf(checkpoint.parameters, parameter)
    values.forEach((value, index) => (values[index] = 2 * value))
  }
  return checkpoint
}
