import assert from 'node:assert/strict'
import os from 'node:os'
import test, { type TestContext } from 'node:test'
import sharp from 'sharp'
import { decodeImage } from '../../../shared/data/transforms/decode.ts'
import { decodeTarget, defaultTransforms } from '../../../shared/data/transforms/transforms.ts'
import { createEngine } from '../../../shared/engine/create.ts'
import { DataError, EngineError, RunError } from '../../../shared/kit/errors.ts'
import { Predictor, type Weights } from '../../../live/predictor.ts'
import { initialParameters } from '../../../shared/model/initial.ts'
import { layoutOf } from '../../../shared/model/layout.ts'
import { buildNetwork } from '../../../shared/model/models.ts'
import { evaluationPixels, likeliest, probabilitiesOf } from '../../../shared/evaluation/probabilities.ts'

const network = buildNetwork('tiny', { imageSize: 32, classes: 3 })
const transforms = defaultTransforms(network)
const classes = ['cane', 'gatto', 'panda']
const weightsOf = (seed: number): Weights => ({ network, transforms, classes, parameters: initialParameters(layoutOf(network), seed), step: 10 * seed, epoch: seed, engine: 'wasm' })
const photograph = (background: string): Promise<Buffer> => sharp({ create: { width: 90, height: 60, channels: 3, background } }).jpeg().toBuffer()
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function predictor(t: TestContext, newest: () => Promise<Weights>, idleMs?: number): Predictor {
  const made = new Predictor(newest, idleMs)
  t.after(() => made.close())
  return made
}

async function pidOf(made: Predictor): Promise<number> {
  const pid = await made.pid()
  assert.ok(pid !== undefined)
  return pid
}

test('a photograph gets what an evaluation with the newest weights says of it, from one process in the background', async (t) => {
  let seed = 1
  const made = predictor(t, () => Promise.resolve(weightsOf(seed++)))
  assert.equal(await made.pid(), undefined, 'nothing is started before it is needed')
  const photographs = await Promise.all(['#e02010', '#1020e0', '#808080'].map(photograph))
  const predicted = await Promise.all(photographs.map((image) => made.predict(image)))

  const engine = await createEngine(network, { engine: 'wasm', precision: 'f32', threads: 1, numerics: 'native', gpu: undefined })
  for (const [index, image] of photographs.entries()) {
    engine.setParameters(weightsOf(index + 1).parameters)
    const [probabilities] = probabilitiesOf(engine.logits(evaluationPixels([await decodeImage(image, decodeTarget(transforms, 32))], 32, transforms.evaluation), 1), 3) ?? []
    assert.deepEqual(predicted[index], { step: 10 * (index + 1), epoch: index + 1, classes: likeliest(probabilities, classes, 3) })
  }
  engine.dispose()
  assert.deepEqual(predicted[0].classes.map(({ name }) => name).sort(), ['cane (dog)', 'gatto (cat)', 'panda'])
  assert.ok(os.getPriority(await pidOf(made)) > os.getPriority(), 'training goes first')
})

test('the process ends when nobody asks for a while, and another one is started when somebody does', async (t) => {
  const made = predictor(t, () => Promise.resolve(weightsOf(1)), 300)
  const image = await photograph('green')
  const first = await made.predict(image)
  const pid = await pidOf(made)
  await made.predict(image)
  assert.equal(await made.pid(), pid)
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await made.pid(), undefined)
  assert.deepEqual(await made.predict(image), first)
})

test('a process that died, or was started for another network, is replaced', async (t) => {
  let weights = weightsOf(1)
  const made = predictor(t, () => Promise.resolve(weights))
  const image = await photograph('green')
  const first = await made.predict(image)
  const pid = await pidOf(made)
  process.kill(pid, 'SIGKILL')
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(await made.predict(image), first)
  const other = buildNetwork('tiny', { imageSize: 16, classes: 2 })
  weights = { ...weights, network: other, classes: ['cane', 'gatto'], parameters: initialParameters(layoutOf(other), 1) }
  assert.equal((await made.predict(image)).classes.length, 2)
})

test('what is no image, weights that are no numbers, and weights that there are not yet, are errors; the next photograph is looked at', async (t) => {
  let newest: () => Promise<Weights> = () => Promise.reject(new RunError('there are no weights yet.'))
  const made = predictor(t, () => newest())
  const image = await photograph('green')
  await assert.rejects(made.predict(image), (error: unknown) => error instanceof RunError && error.message === 'there are no weights yet.')
  newest = () => Promise.resolve(weightsOf(1))
  await assert.rejects(made.predict(Buffer.from('no image')), (error: unknown) => error instanceof DataError && /^The photograph cannot be decoded/.test(error.message))
  newest = () => Promise.resolve({ ...weightsOf(2), parameters: weightsOf(2).parameters.fill(NaN) })
  await assert.rejects(made.predict(image), (error: unknown) => error instanceof RunError && error.message === 'The weights of step 20 give no numbers: the training diverged.')
  newest = () => Promise.resolve(weightsOf(3))
  assert.equal((await made.predict(image)).step, 30)
})

test('a large photograph is decoded elsewhere: this process goes on meanwhile, and its memory does not grow', async (t) => {
  const made = predictor(t, () => Promise.resolve(weightsOf(1)))
  await made.predict(await photograph('green'))
  // An interlaced PNG is decoded to the whole picture first: 75 MB here.
  const large = await sharp({ create: { width: 5000, height: 5000, channels: 3, background: 'red' } }).png({ progressive: true }).toBuffer()
  const counters = sharp.counters()
  let decoding = false
  const watch = setInterval(() => (decoding ||= sharp.counters().queue + sharp.counters().process > counters.queue + counters.process), 5)
  const before = process.memoryUsage.rss()
  assert.equal((await made.predict(large)).step, 10)
  clearInterval(watch)
  assert.ok(!decoding, 'nothing is decoded in this process')
  assert.ok(process.memoryUsage.rss() - before < 40e6, `${process.memoryUsage.rss() - before} bytes`)
  await assert.rejects(made.predict(await sharp({ create: { width: 8000, height: 4200, channels: 3, background: 'red' } }).png().toBuffer()), DataError)
})

test('closing ends the process, and what is being looked at', async (t) => {
  const made = predictor(t, () => Promise.resolve(weightsOf(1)))
  const image = await photograph('green')
  await made.predict(image)
  const pid = await pidOf(made)
  const asked = assert.rejects(Promise.all([made.predict(image), made.predict(image)]), (error: unknown) => error instanceof EngineError || error instanceof RunError)
  await made.close()
  assert.ok(!isAlive(pid))
  await asked
  await assert.rejects(made.predict(image), RunError)
})
