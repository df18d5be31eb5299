/**
 * Images a second of the native engines on the article's network at 256 px, gradients of one lane, on one thread:
 *   node bin/run.mjs benchmark/engine.ts [rounds]
 * The engines take turns, so that a machine that slows down slows all of them, and ratios are taken round by round.
 */
import { KeyedRandom, Purpose } from '../shared/random/philox.ts'
import { articleNetwork } from '../shared/model/article.ts'
import { dropoutLayers, type Network } from '../shared/model/network.ts'
import { initialParameters } from '../shared/model/initial.ts'
import { layoutOf } from '../shared/model/layout.ts'
import type { Engine, LaneInput } from '../shared/engine/engine.ts'
import { createEagerEngine } from '../shared/engine/eager/engine.ts'
import { createGraphEngine } from '../shared/engine/graph/engine.ts'
import { loadNative } from '../shared/engine/native.ts'
import { median } from './bench/statistics.ts'

const BATCHES = [8, 32]
const options = { threads: 1, gpu: undefined }

function randomLane(network: Network, count: number): LaneInput {
  const random = new KeyedRandom(0, Purpose.draw)
  return {
    images: Uint8Array.from({ length: count * network.imageSize ** 2 * 3 }, () => random.below(256)),
    labels: Int32Array.from({ length: count }, () => random.below(network.classes)),
    masks: dropoutLayers(network).map(({ rate, shape }) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, count) }, () => (random.uniform() < rate ? 0 : 1 / (1 - rate))),
    ),
  }
}

const rounds = Number(process.argv[2] ?? 7)
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`rounds is ${process.argv[2]}, expected a positive integer.\n`)
  process.exit(2)
}
const network = articleNetwork({ imageSize: 256, classes: 10 })
const { version, device } = loadNative(options)
const engines: Record<string, Engine> = {
  'eager f32': createEagerEngine(network, { precision: 'f32', threads: 1, kind: 'native', device, version: `TensorFlow ${version}` }),
  'graph f32': await createGraphEngine(network, { ...options, precision: 'f32' }),
  'graph bf16': await createGraphEngine(network, { ...options, precision: 'bf16' }),
}
const parameters = initialParameters(layoutOf(network), 0, 'he')
const gradient = new Float32Array(parameters.length)

for (const batch of BATCHES) {
  const lane = randomLane(network, batch)
  const rates: Record<string, number[]> = {}
  // The first round compiles and allocates: it does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, engine] of Object.entries(engines)) {
      const start = performance.now()
      engine.setParameters(parameters)
      engine.laneGradient(lane, gradient)
      if (round > 0) (rates[name] ??= []).push((batch * 1000) / (performance.now() - start))
    }
  }
  process.stdout.write(`TensorFlow ${version}, ${device}, 1 thread, batch ${batch}, ${rounds} rounds: images/s, median (least-most), times eager\n`)
  for (const [name, values] of Object.entries(rates)) {
    const ratio = median(values.map((value, round) => value / rates['eager f32'][round]))
    process.stdout.write(`  ${name.padEnd(10)} ${median(values).toFixed(1).padStart(6)} (${Math.min(...values).toFixed(1)}-${Math.max(...values).toFixed(1)})  x ${ratio.toFixed(2)}\n`)
  }
}
for (const engine of Object.values(engines)) engine.dispose()
