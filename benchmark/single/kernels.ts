import { layoutOf } from '../../shared/model/layout.ts'
import { buildNetwork } from '../../shared/model/models.ts'
import { freshState } from '../../shared/optim/optimizer.ts'
import { plainOptimizerMemory } from '../../shared/optim/optimizer_memory.ts'
import { defaultOptimizer, optimizerOf } from '../../shared/optim/optimizers.ts'
import { Model } from '../../shared/optim/stepped_weights.ts'
import { encodedBytes } from '../../shared/compress/format.ts'
import { plainDecode, plainEncode, plainRound } from '../../shared/compress/plain.ts'
import { compressKernel, type CompressKernel } from '../../shared/compress/kernel.ts'
import { plainWindow } from '../../shared/data/transforms/plain_window.ts'
import { applyTransforms, drawTransforms } from '../../shared/data/transforms/apply.ts'
import { augmentationSchema, defaultAugmentation, defaultEvaluation, type TransformList } from '../../shared/data/transforms/transforms.ts'
import { KeyedRandom, Purpose } from '../../shared/random/philox.ts'
import { chunkRanges } from '../../shared/vectors/chunks.ts'
import { addInto, plainAddInto } from '../../shared/vectors/vectors.ts'

/**
 * Measures the kernels against the plain TypeScript that they replace, in turns, on one core: node bin/run.mjs benchmark/single/kernels.ts
 * Prints milliseconds: median and quartiles.
 */

const STEPS = 300
const ROUNDS = 30
const IMAGES_A_ROUND = 10
/** Share of the rounds that only warm up, since V8 compiles more than once. */
const WARM_UP = 1 / 3

interface Contender {
  name: string
  run: () => void
}

/** Measures contenders in turns, so that a machine that is slower for a while slows all of them. */
function measure(title: string, contenders: readonly Contender[], rounds: number, perRound: number): void {
  const times = contenders.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    contenders.forEach(({ run }, index) => {
      const begin = performance.now()
      run()
      times[index].push((performance.now() - begin) / perRound)
    })
  }
  const quantile = (values: readonly number[], share: number): number => values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * share)]
  for (const [index, { name }] of contenders.entries()) {
    const warm = times[index].slice(Math.floor(rounds * WARM_UP))
    process.stdout.write(`${title.padEnd(32)}${name.padEnd(8)}${quantile(warm, 0.5).toFixed(3)} (${quantile(warm, 0.25).toFixed(3)} to ${quantile(warm, 0.75).toFixed(3)})\n`)
  }
}

/** Measures whole steps of Adam, chunk by chunk, and the sum of two whole partial sums. */
function optimizer(): void {
  const layout = layoutOf(buildNetwork('article', { imageSize: 256, classes: 10 }))
  const random = new KeyedRandom(1, Purpose.draw)
  const gradient = Float32Array.from({ length: layout.size }, () => random.normal())
  const adam = optimizerOf(defaultOptimizer)
  const start = freshState(adam, layout.size)
  const models = {
    plain: new Model(layout, adam, start, plainOptimizerMemory(adam, layout.size)),
    kernel: new Model(layout, adam, start),
  }
  let update = 0
  measure(`Adam, ${layout.size} parameters`, Object.entries(models).map(([name, model]) => ({
    name,
    run: () => {
      update++
      for (const range of chunkRanges(layout.size)) model.stepRange(range, gradient.subarray(range.begin, range.end), { samples: 64, update: Math.ceil(update / 2), rate: 1e-4, scale: 1 })
      model.commit()
    },
  })), STEPS, 1)

  const other = gradient.slice()
  measure('sum of two partials', Object.entries({ plain: plainAddInto, kernel: addInto }).map(([name, add]) => ({ name, run: () => void add(gradient, other) })), STEPS, 1)
}

/** Measures rounding, encoding and decoding a gradient of the article's size. */
function formats(): void {
  const { size } = layoutOf(buildNetwork('article', { imageSize: 256, classes: 10 }))
  const random = new KeyedRandom(3, Purpose.draw)
  const gradient = Float32Array.from({ length: size }, () => random.normal() * 1e-3)
  const kernel = compressKernel()
  if (kernel === undefined) return
  for (const format of ['bf16', 'int8'] as const) {
    const rounded = gradient.slice()
    const bytes = new Uint8Array(encodedBytes(format, size))
    const out = new Float32Array(size)
    kernel.round(format, rounded, 0, { seed: 0, step: 0, node: 0 })
    const ways = Object.entries({ plain: { round: plainRound, encode: plainEncode, decode: plainDecode }, kernel })
    const measureEach = (what: string, run: (way: CompressKernel) => void): void =>
      measure(`${what} ${format}`, ways.map(([name, way]) => ({ name, run: () => run(way) })), ROUNDS, 1)
    measureEach('round to', ({ round }) => round(format, gradient.slice(), 0, { seed: 0, step: 1, node: 0 }))
    measureEach('encode', ({ encode }) => encode(format, rounded, bytes))
    measureEach('decode', ({ decode }) => decode(format, bytes, out))
  }
}

/** Measures lists of transforms for random values that never come again, as in training. */
function transforms(width: number, height: number, imageSize: number, lists: Readonly<Record<string, TransformList>>): void {
  const random = new KeyedRandom(2, Purpose.draw, width, height)
  const image = { data: Uint8Array.from({ length: width * height * 3 }, () => random.below(256)), width, height }
  const out = new Uint8Array(imageSize * imageSize * 3)
  for (const [kind, list] of Object.entries(lists)) {
    const isRandom = list !== defaultEvaluation
    let sample = 0
    const each = (compute?: typeof plainWindow) => (): void => {
      for (let i = 0; i < IMAGES_A_ROUND; i++) applyTransforms(image, imageSize, drawTransforms(list, isRandom ? { seed: 0, epoch: 1, sample: sample++ } : undefined), out, 0, compute)
    }
    measure(`${kind} ${width} x ${height} to ${imageSize}`, [{ name: 'plain', run: each(plainWindow) }, { name: 'kernel', run: each() }], ROUNDS, IMAGES_A_ROUND)
  }
}

/** A random crop with flips alone, and with each of what can follow it. */
const cropped = Object.fromEntries(
  [['crop', []], ['crop, shift', ['randomCrop']], ['crop, colours', ['colourJitter']], ['crop, trivial', ['trivialAugment']], ['crop, erasing', ['randomErasing']]].map(([kind, names]) => [
    kind,
    augmentationSchema.parse([{ name: 'alternatingFlip' }, { name: 'randomResizedCrop', scale: [0.35, 1] }, ...[...names].map((name) => ({ name })), { name: 'normalise' }]),
  ]),
)

const article = { augment: defaultAugmentation, centre: defaultEvaluation }

optimizer()
formats()
transforms(300, 225, 256, article)
transforms(500, 375, 256, article)
transforms(500, 375, 160, article)
transforms(800, 600, 256, article)
transforms(300, 225, 64, article)
transforms(341, 256, 128, { ...article, ...cropped })
