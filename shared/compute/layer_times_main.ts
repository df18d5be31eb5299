import { text } from 'node:stream/consumers'
import { createEngine } from '../engine/create.ts'
import type { Engine, LaneInput } from '../engine/engine.ts'
import { aloneOf, type LoneLayer } from '../engine/layer_runs.ts'
import { prepareLayers } from '../engine/prepare_layers.ts'
import { messageOf } from '../kit/errors.ts'
import { layerWork } from '../model/flops.ts'
import { initialParameters } from '../model/initial.ts'
import { layoutOf } from '../model/layout.ts'
import { dropoutLayers, type Network } from '../model/network.ts'
import { machineSeconds } from '../trace/span.ts'
import { layerTimesAnswerSchema, layerTimesRequestSchema, type LayerTimes, type LayerTimesRequest } from './layer_times_protocol.ts'

/**
 * Program that reads a `LayerTimesRequest` from standard input, times each layer by itself and the whole gradient, and writes one line of JSON to standard
 * output. It is a process of its own because native TensorFlow's settings hold for a whole process.
 */

/** Least number of runs. */
const LEAST_RUNS = 3
/** Share of the time that the whole gradient gets. */
const SHARE_OF_STEP = 0.2

/**
 * Times a function until it has run often and long enough; the first run compiles and allocates, and does not count.
 * @returns the shortest time: whatever else the machine does can only add to it
 */
function leastSeconds(run: () => void, seconds: number): number {
  run()
  let least = Number.POSITIVE_INFINITY
  const end = machineSeconds() + seconds
  for (let runs = 0; runs < LEAST_RUNS || machineSeconds() < end; runs++) {
    const begin = machineSeconds()
    run()
    least = Math.min(least, machineSeconds() - begin)
  }
  return least
}

/** Layers that compute the same have the same key, and are timed once. */
function keyOf({ layer, input, inputGradient }: LoneLayer): string {
  return JSON.stringify([layer, input, inputGradient])
}

async function timesOfLayers({ network, engine, threads, lane, seconds }: LayerTimesRequest): Promise<LayerTimes['layers']> {
  const { parameters } = layoutOf(network)
  const layers = layerWork(network).map((work) => aloneOf(work, parameters))
  const distinct = [...new Map(layers.map((layer) => [keyOf(layer), layer])).values()]
  const prepared = await prepareLayers(distinct, lane, { engine, threads })
  const each = (seconds * (1 - SHARE_OF_STEP)) / (2 * distinct.length + 1)
  const nothing = leastSeconds(prepared.nothing, each)
  const times = new Map(prepared.runs.map((run, index) => {
    const forward = leastSeconds(run.forward, each)
    const backward = Math.max(leastSeconds(run.forwardAndBackward, each) - forward, 0)
    return [keyOf(distinct[index]), { forward: Math.max(forward - nothing, 0), backward }]
  }))
  prepared.dispose()
  return layers.map((layer) => ({ name: layer.name, ...times.get(keyOf(layer))! }))
}

function laneOf(network: Network, count: number): LaneInput {
  return {
    images: Uint8Array.from({ length: count * network.imageSize ** 2 * 3 }, (_, index) => (index * 7919) % 256),
    labels: Int32Array.from({ length: count }, (_, index) => index % network.classes),
    masks: dropoutLayers(network).map(({ shape }) => new Float32Array(shape.reduce((a, b) => a * b, count)).fill(1)),
  }
}

function timeOfStep(engine: Engine, network: Network, { lane, seconds }: LayerTimesRequest): number {
  const layout = layoutOf(network)
  const input = laneOf(network, lane)
  const gradient = new Float32Array(layout.size)
  engine.setParameters(initialParameters(layout, 0))
  return leastSeconds(() => void engine.laneGradient(input, gradient), seconds * SHARE_OF_STEP)
}

async function measure(): Promise<LayerTimes> {
  const request = layerTimesRequestSchema.parse(JSON.parse(await text(process.stdin)))
  const { network, engine: kind, threads } = request
  const engine = await createEngine(network, { engine: kind, precision: 'f32', threads, numerics: 'native', gpu: undefined })
  const step = timeOfStep(engine, network, request)
  engine.dispose()
  return { version: engine.info.version, step, layers: await timesOfLayers(request) }
}

const answer = await measure().catch((error: unknown) => ({ failure: messageOf(error) }))
process.stdout.write(`${JSON.stringify(layerTimesAnswerSchema.parse(answer))}\n`)
