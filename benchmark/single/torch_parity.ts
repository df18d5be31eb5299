import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadCheckpoint, type Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { bytesOf } from '../../shared/kit/floats.ts'
import { createEngine, resolveEngine } from '../../shared/engine/create.ts'
import { exportCheckpoint } from '../../cli/export/export.ts'
import { articleNetwork } from '../../shared/model/article.ts'
import { initialParameters } from '../../shared/model/initial.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { networkSchema, type Network } from '../../shared/model/network.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { ROOT } from '../../shared/kit/project.ts'

/**
 * Checks that a network that Herd exports gives the same logits in PyTorch, in float32: for the article's network, and for
 * one with every kind of layer, both with random parameters; or for a checkpoint of your own.
 *
 *   node bin/run.mjs benchmark/single/torch_parity.ts --python python3 [--checkpoint F] [--images 8]
 *
 * The interpreter needs torch, safetensors and numpy. Exit code 0 if all logits agree to 1e-3, else 1.
 */

const everyLayer: Network = networkSchema.parse({
  name: 'every-layer', imageSize: 31, classes: 5, mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3],
  layers: [
    { type: 'conv2d', filters: 8, kernel: 3, stride: 2, padding: 'same', bias: false },
    { type: 'batchNorm', epsilon: 1e-3 },
    { type: 'relu' },
    { type: 'residual', layers: [{ type: 'depthwiseConv2d', kernel: 3, padding: 'same' }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'conv2d', filters: 8, kernel: 1 }], shortcut: [] },
    { type: 'averagePool', size: 2, stride: 1, padding: 'same' },
    { type: 'zeroPad', before: 1, after: 2 },
    { type: 'relu6' },
    { type: 'residual', layers: [{ type: 'conv2d', filters: 12, kernel: 2, padding: 'same' }, { type: 'maxPool', size: 2, stride: 2, padding: 'same' }], shortcut: [{ type: 'conv2d', filters: 12, kernel: 1, stride: 2, padding: 'same' }] },
    { type: 'relu' },
    { type: 'maxPool', size: 3, stride: 2, padding: 'valid' },
    { type: 'flatten' },
    { type: 'batchNorm' },
    { type: 'dense', units: 16 },
    { type: 'hardSwish' },
    { type: 'dropout', rate: 0.5 },
    { type: 'residual', layers: [{ type: 'dense', units: 16 }, { type: 'silu' }], shortcut: [] },
    { type: 'dense', units: 5 },
  ],
})

/** Factor from the default initial kernels to He's, with which activations keep their scale through the layers, as in a trained network. */
const KERNEL_GAIN = Math.sqrt(6)

/** A checkpoint of random parameters; the running statistics are random too, so that batch norm has an effect. */
function drawnCheckpoint(network: Network): Checkpoint {
  const layout = layoutOf(network)
  const parameters = initialParameters(layout, 1)
  const random = new KeyedRandom(1, Purpose.draw)
  for (const { role, offset, size } of layout.parameters) {
    if (role === 'bias') continue
    if (role === 'kernel') {
      for (let i = offset; i < offset + size; i++) parameters[i] *= KERNEL_GAIN
      continue
    }
    const low = role === 'gamma' || role === 'runningVariance' ? 0.5 : -0.5
    for (let i = offset; i < offset + size; i++) parameters[i] = random.between(low, low + 1)
  }
  const position = { epoch: 1, step: 0, stepInEpoch: 0, skippedSteps: 0, epochSkippedSteps: 0, epochLossSum: 0, epochCorrect: 0, epochImages: 0, epochSeconds: 0, images: 0, seconds: 0 }
  const classes = Array.from({ length: network.classes }, (_, index) => `class ${index}`)
  return { network, classes, config: {}, position, optimizer: { name: 'none', moments: [] }, datasetDigest: '', parameters, moments: [] }
}

/** Exports a checkpoint, computes the logits of random images, and lets Python compare. @returns Python's exit code */
async function compare(checkpoint: Checkpoint, images: number, python: string): Promise<number> {
  const { network, parameters } = checkpoint
  const random = new KeyedRandom(2, Purpose.draw)
  const pixels = Uint8Array.from({ length: images * network.imageSize ** 2 * 3 }, () => random.below(256))
  const engine = await createEngine(network, { ...resolveEngine('auto', 'f32'), precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
  engine.setParameters(parameters)
  const logits = engine.logits(pixels, images)
  engine.dispose()

  const folder = await mkdtemp(join(tmpdir(), 'herd-parity-'))
  try {
    const [model, imageFile, logitFile] = ['model.safetensors', 'images.bin', 'logits.bin'].map((name) => join(folder, name))
    await exportCheckpoint({ checkpoint, file: 'made up' }, 'safetensors', model)
    await writeFile(imageFile, pixels)
    await writeFile(logitFile, bytesOf(logits))
    const script = path.join(ROOT, 'benchmark/peers/safetensors_logits.py')
    const child = spawn(python, [script, '--model', model, '--images', imageFile, '--dtype', 'uint8', '--logits', logitFile], { stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: { python: { type: 'string', default: 'python3' }, checkpoint: { type: 'string' }, images: { type: 'string', default: '8' } },
})
const checkpoints = values.checkpoint === undefined ? [drawnCheckpoint(articleNetwork({ classes: 10 })), drawnCheckpoint(everyLayer)] : [await loadCheckpoint(values.checkpoint)]
for (const checkpoint of checkpoints) {
  if ((await compare(checkpoint, Number(values.images), values.python)) !== 0) process.exitCode = 1
}
