import { createEngine } from '../engine/create.ts'
import type { Engine, LaneInput, Precision } from '../engine/engine.ts'
import { messageOf } from '../kit/errors.ts'
import { initialParameters } from '../model/initial.ts'
import { layoutOf } from '../model/layout.ts'
import { networkSchema } from '../model/network.ts'
import { KeyedRandom, Purpose } from '../random/philox.ts'
import { machineSeconds } from '../trace/span.ts'
import { measurementSchema, settingsSchema } from './precision_protocol.ts'

/**
 * Program that measures how much faster bf16 computes than f32 on this machine, by turns on a network like those that are trained, and
 * writes one line of JSON to standard output. It is a process of its own because TensorFlow's settings hold for a whole process, and the
 * process that asks may not compute at all.
 */

const conv = (filters: number): object[] => [{ type: 'conv2d', filters, kernel: 3 }, { type: 'relu' }]
const pool = { type: 'maxPool', size: 2, stride: 2 }
const network = networkSchema.parse({
  name: 'precision', imageSize: 64, classes: 10, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225],
  layers: [...conv(16), ...conv(32), pool, ...conv(64), ...conv(64), pool, ...conv(128), pool, { type: 'flatten' }, { type: 'dense', units: 256 }, { type: 'relu' }, { type: 'dense', units: 10 }],
})
const IMAGES = 4
/** Time during which turns begin. If bf16 is emulated, and so many times slower, one turn says enough. */
const SECONDS = 0.8

const layout = layoutOf(network)
const random = new KeyedRandom(0, Purpose.draw)
const lane: LaneInput = {
  images: Uint8Array.from({ length: IMAGES * network.imageSize ** 2 * 3 }, () => random.below(256)),
  labels: Int32Array.from({ length: IMAGES }, (_, index) => index),
  masks: [],
}
const parameters = initialParameters(layout, 0)
const gradient = new Float32Array(layout.size)

/** Computes one lane's gradient. @returns the seconds it took, with those for setting the parameters */
function secondsOf(engine: Engine): number {
  const begin = machineSeconds()
  engine.setParameters(parameters)
  engine.laneGradient(lane, gradient)
  return machineSeconds() - begin
}

/** Measures the speed of bf16 divided by that of f32. @returns the median over the turns */
async function measure(): Promise<number> {
  const { threads, gpu } = settingsSchema.parse(JSON.parse(process.argv[2]))
  const engineOf = (precision: Precision): Promise<Engine> => createEngine(network, { engine: 'native', precision, threads, numerics: 'native', gpu })
  const [f32, bf16] = [await engineOf('f32'), await engineOf('bf16')]
  // The first turn compiles and allocates, so it is not measured.
  for (const engine of [f32, bf16]) secondsOf(engine)
  const ratios: number[] = []
  const end = machineSeconds() + SECONDS
  do ratios.push(secondsOf(f32) / secondsOf(bf16))
  while (machineSeconds() < end)
  return ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)]
}

const measurement = await measure().then((ratio) => ({ ratio }), (error: unknown) => ({ failure: messageOf(error) }))
process.stdout.write(`${JSON.stringify(measurementSchema.parse(measurement))}\n`)
