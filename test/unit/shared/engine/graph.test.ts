import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import type { NamedTensorMap } from '@tensorflow/tfjs-core'
import { EngineError } from '../../../../shared/kit/errors.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import type { Engine, Precision } from '../../../../shared/engine/engine.ts'
import { createEagerEngine } from '../../../../shared/engine/eager/engine.ts'
import { createGraphEngine } from '../../../../shared/engine/graph/engine.ts'
import { formsFor } from '../../../../shared/engine/graph/forms.ts'
import { writeInferenceSavedModel } from '../../../../shared/engine/graph/training_graph.ts'
import { computeEnvironment, loadNative, nativeAvailable } from '../../../../shared/engine/native.ts'
import { articleLayers, laneOf, networkOf, parametersOf, relativeError, sliceLane } from './layers_problem.ts'

const options = { threads: 1, gpu: undefined }
const { tf, version } = loadNative(options)

const network = networkOf(
  [
    { type: 'conv2d', filters: 6, kernel: 3 }, { type: 'relu' }, { type: 'maxPool', size: 2, stride: 2 },
    { type: 'flatten' }, { type: 'dropout', rate: 0.25 }, { type: 'dense', units: 8 }, { type: 'relu' }, { type: 'dense', units: 3 },
  ],
  { imageSize: 11 },
)
const layout = layoutOf(network)
const parameters = parametersOf(network)
const eagerOptions = { precision: 'f32', threads: 1, kind: 'native', device: 'cpu', version } as const

let temporary: string
let graph: Engine
before(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'herd-test-'))
  graph = await createGraphEngine(network, { ...options, precision: 'f32' })
  graph.setParameters(parameters)
})
after(async () => {
  graph.dispose()
  await rm(temporary, { recursive: true })
})

test('one graph takes lanes of any size, and their gradients add up to the whole batch', () => {
  const whole = laneOf(network, 12)
  const sum = new Float32Array(layout.size)
  const gradient = new Float32Array(layout.size)
  let lossSum = 0
  let correct = 0
  for (const [from, to] of [[0, 1], [1, 4], [4, 12]]) {
    const result = graph.laneGradient(sliceLane(whole, from, to), gradient)
    gradient.forEach((value, i) => (sum[i] += value))
    lossSum += result.lossSum
    correct += result.correct
  }
  const result = graph.laneGradient(whole, gradient)
  assert.ok(relativeError(sum, gradient) < 1e-6)
  assert.ok(Math.abs(lossSum - result.lossSum) < 1e-5 * lossSum)
  assert.equal(correct, result.correct)
})

test('a lane gives the same bits whatever ran before it', () => {
  const lane = laneOf(network, 3)
  const first = new Float32Array(layout.size)
  const again = new Float32Array(layout.size)
  graph.laneGradient(lane, first)
  graph.laneGradient(laneOf(network, 5, 9), again)
  graph.laneGradient(lane, again)
  assert.deepEqual(again, first)
})

test('holds as many tensors after a hundred calls as after one', () => {
  const lane = laneOf(network, 2)
  const gradient = new Float32Array(layout.size)
  const step = (): number => {
    graph.setParameters(parameters)
    graph.laneGradient(lane, gradient)
    graph.logits(lane.images, 2)
    return graph.tensorCount()
  }
  const before = step()
  for (let i = 0; i < 100; i++) assert.equal(step(), before)
})

test('keeps no reference to the parameters, nor to the images of a lane', async () => {
  const engine = await createGraphEngine(network, { ...options, precision: 'f32' })
  const lane = laneOf(network, 2)
  const expected = new Float32Array(layout.size)
  graph.laneGradient(lane, expected)

  const given = parameters.slice()
  engine.setParameters(given)
  given.fill(0)
  const gradient = new Float32Array(layout.size)
  engine.laneGradient(laneOf(network, 2, 5), gradient)
  engine.laneGradient(lane, gradient)
  assert.deepEqual(gradient, expected)
  engine.dispose()
})

test('images may lie anywhere in a buffer', async () => {
  const even = networkOf([{ type: 'globalAveragePool' }, { type: 'dense', units: 3 }], { imageSize: 8 })
  const engine = await createGraphEngine(even, { ...options, precision: 'f32' })
  engine.setParameters(parametersOf(even))
  const { images } = laneOf(even, 2)
  const expected = engine.logits(images, 2)
  for (const offset of [1, 4]) {
    const buffer = new Uint8Array(images.length + offset)
    buffer.set(images, offset)
    assert.deepEqual(engine.logits(buffer.subarray(offset), 2), expected)
  }
  engine.dispose()
})

test('logits ignore dropout and do not depend on the batch', () => {
  const { images } = laneOf(network, 4)
  const together = graph.logits(images, 4)
  const alone = graph.logits(images.subarray(3 * 11 * 11 * 3), 1)
  assert.equal(together.length, 12)
  assert.ok(relativeError(alone, together.subarray(9)) < 1e-6)
})

test('the article\'s network: float32 as eager, bfloat16 close to it', async () => {
  const article = networkOf(articleLayers(10), { imageSize: 156, classes: 10 })
  const vector = parametersOf(article)
  const lane = laneOf(article, 2)
  const compute = (engine: Engine): { gradient: Float32Array; lossSum: number } => {
    const gradient = new Float32Array(vector.length)
    engine.setParameters(vector)
    const { lossSum } = engine.laneGradient(lane, gradient)
    engine.dispose()
    return { gradient, lossSum }
  }
  const eager = compute(createEagerEngine(article, eagerOptions))
  const f32 = compute(await createGraphEngine(article, { ...options, precision: 'f32' }))
  const bf16 = compute(await createGraphEngine(article, { ...options, precision: 'bf16' }))
  assert.ok(Math.abs(f32.lossSum - eager.lossSum) < 1e-5 * eager.lossSum)
  assert.ok(relativeError(f32.gradient, eager.gradient) < 1e-3, `f32 differs by ${relativeError(f32.gradient, eager.gradient)}`)
  assert.ok(Math.abs(bf16.lossSum - eager.lossSum) < 0.02 * eager.lossSum)
  assert.ok(relativeError(bf16.gradient, eager.gradient) < 0.25, `bf16 differs by ${relativeError(bf16.gradient, eager.gradient)}`)
})

for (const precision of ['f32', 'bf16'] satisfies Precision[]) {
  test(`two processes compute the same bits in ${precision}`, async () => {
    const digest = async (): Promise<string> => {
      const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'graph_process.js'), precision])
      return stdout
    }
    const first = await digest()
    assert.match(first, /^[0-9a-f]{64}$/)
    assert.equal(await digest(), first)
  })
}

test('leaves no folder and no session behind', async () => {
  const outer = process.env.TMPDIR
  process.env.TMPDIR = temporary
  try {
    const sessions = tf.node.getNumOfSavedModels()
    const engine = await createGraphEngine(network, { ...options, precision: 'f32' })
    engine.setParameters(parameters)
    assert.equal(tf.node.getNumOfSavedModels(), sessions + 1)
    engine.dispose()
    assert.equal(tf.node.getNumOfSavedModels(), sessions)
    // TensorFlow refuses to load a graph with three logits for four classes.
    await assert.rejects(createGraphEngine({ ...network, classes: 4 }, { ...options, precision: 'f32' }), EngineError)
    assert.deepEqual(await readdir(temporary), [])
  } finally {
    if (outer === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = outer
  }
})

test('an exported SavedModel gives the engine\'s logits and probabilities', async () => {
  const exported = networkOf([{ type: 'conv2d', filters: 4, kernel: 3 }, { type: 'batchNorm' }, { type: 'relu' }, { type: 'globalAveragePool' }, { type: 'dropout', rate: 0.5 }, { type: 'dense', units: 3 }])
  const vector = parametersOf(exported)
  const folder = join(temporary, 'exported')
  await writeInferenceSavedModel(folder, exported, layoutOf(exported), vector)
  const engine = createEagerEngine(exported, eagerOptions)
  engine.setParameters(vector)
  const { images } = laneOf(exported, 5)
  const expected = engine.logits(images, 5)
  engine.dispose()

  const model = await tf.node.loadSavedModel(folder)
  const input = tf.tensor4d(Float32Array.from(images), [5, 7, 7, 3])
  const { logits, probabilities } = model.predict({ images: input }) as NamedTensorMap
  assert.deepEqual(logits.shape, [5, 3])
  assert.ok(relativeError(logits.dataSync(), expected) < 1e-5)
  const sums = tf.sum(probabilities, 1).dataSync()
  for (const sum of sums) assert.ok(Math.abs(sum - 1) < 1e-6)
  assert.ok(relativeError(probabilities.dataSync(), tf.softmax(logits).dataSync()) < 1e-6)
  tf.dispose([input, logits, probabilities])
  model.dispose()
  await rm(folder, { recursive: true })
})

test('refuses vectors, images, labels and masks that do not fit, and names them', () => {
  const lane = laneOf(network, 2)
  const gradient = new Float32Array(layout.size)
  const refuses = (call: () => unknown, message: RegExp): void => assert.throws(call, (error: unknown) => error instanceof EngineError && message.test(error.message))
  refuses(() => graph.setParameters(new Float32Array(3)), /parameters has 3 values/)
  refuses(() => graph.laneGradient(lane, new Float32Array(4)), /gradient has 4 values/)
  refuses(() => graph.laneGradient({ ...lane, images: lane.images.subarray(1) }, gradient), /images has 725 bytes, but 2 images of 11 x 11 x 3 have 726/)
  refuses(() => graph.laneGradient({ ...lane, labels: Int32Array.of(0, 3) }, gradient), /labels has class 3/)
  refuses(() => graph.laneGradient({ ...lane, masks: [] }, gradient), /masks has 0 masks/)
  refuses(() => graph.laneGradient({ ...lane, masks: [new Float32Array(1)] }, gradient), /masks\[0\] has 1 values/)
  refuses(() => graph.logits(new Uint8Array(0), 0), /at least one image/)
})

test('TensorFlow is loaded once, with one setting of threads and GPU', () => {
  assert.equal(nativeAvailable(), true)
  assert.equal(loadNative(options).tf, tf)
  assert.match(version, /^\d+\.\d+\.\d+/)
  assert.throws(() => loadNative({ threads: 2, gpu: undefined }), (error: unknown) => error instanceof EngineError && /threads 2/.test(error.message))
})

test('a graph is written for a GPU where there is one', () => {
  assert.equal(formsFor('f32', 'gpu:0'), 'gpu')
  assert.equal(formsFor('bf16', 'gpu:1'), 'gpu')
  assert.equal(formsFor('bf16', 'cpu'), 'library')
})

test('what is portable has one form on all processors with AVX2, and is refused where it cannot be computed', () => {
  const [sse, avx2, avx512] = [['sse4_2', 'avx'], ['avx', 'avx2'], ['avx2', 'avx512f', 'avx512_bf16']].map((extensions) => new Set(extensions))
  assert.deepEqual([avx2, avx512].map((extensions) => formsFor('f32', 'cpu', { numerics: 'portable', threads: 1 }, extensions)), ['portable', 'portable'])
  assert.deepEqual([sse, avx2, avx512].map((extensions) => formsFor('f32', 'cpu', { numerics: 'native', threads: 2 }, extensions)), ['library', 'products', 'library'])
  const refuses = (message: RegExp, ...asked: Parameters<typeof formsFor>): void => assert.throws(() => formsFor(...asked), (error: unknown) => error instanceof EngineError && message.test(error.message))
  refuses(/^--numerics portable needs a processor with AVX2, and this one, .*, has none: compute on another machine, or take --engine wasm or --numerics native\.$/, 'f32', 'cpu', { numerics: 'portable', threads: 1 }, sse)
  refuses(/^--numerics portable computes on the CPU: leave --gpu out/, 'f32', 'gpu:0', { numerics: 'portable', threads: 1 }, avx2)
  refuses(/^--numerics portable computes in float32: leave --precision bf16 out/, 'bf16', 'cpu', { numerics: 'portable', threads: 1 }, avx2)
  refuses(/^--numerics portable computes with one thread: leave --threads 2 out/, 'f32', 'cpu', { numerics: 'portable', threads: 2 }, avx2)
  assert.equal(computeEnvironment({ threads: 1, gpu: undefined, numerics: 'portable' }).ONEDNN_MAX_CPU_ISA, 'AVX2')
  assert.equal('ONEDNN_MAX_CPU_ISA' in computeEnvironment({ threads: 1, gpu: undefined, numerics: 'native' }), false)
})

test('a compute process\'s environment fixes the threads, and on a GPU what would change the bits', () => {
  const cpu = computeEnvironment({ threads: 2, gpu: undefined })
  assert.equal(cpu.TF_NUM_INTRAOP_THREADS, '2')
  assert.equal(cpu.TF_NUM_INTEROP_THREADS, '1')
  assert.equal(cpu.CUDA_VISIBLE_DEVICES, '-1', 'no GPU')
  const gpu = computeEnvironment({ threads: 1, gpu: 3 })
  assert.deepEqual([gpu.CUDA_VISIBLE_DEVICES, gpu.TF_DETERMINISTIC_OPS, gpu.TF_CUDNN_USE_AUTOTUNE, gpu.NVIDIA_TF32_OVERRIDE], ['3', '1', '0', '0'])
})
