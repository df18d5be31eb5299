import { Buffer } from 'node:buffer'
import { createEngine } from '../../../../shared/engine/create.ts'
import type { Engine, LaneInput, Precision } from '../../../../shared/engine/engine.ts'
import { messageOf } from '../../../../shared/kit/errors.ts'
import { layoutOf } from '../../../../shared/model/layout.ts'
import type { Network } from '../../../../shared/model/network.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'
import { articleLayers, laneOf, layerCases, networkOf, parametersOf } from './layers_problem.ts'

/**
 * A line of this process, which computes each of the networks in a precision, on a GPU if one is named, and prints a line of JSON for
 * each: the results, or the error.
 */
export type Line =
  | { name: string; device: string; lossSum: number; correct: number; gradient: string; ofOne: string; again: boolean; logits: string }
  | { name: string; error: string }

const LANE = 8

const networks: Record<string, Network> = { ...layerCases, article: networkOf(articleLayers(10), { imageSize: 160, classes: 10 }) }

function base64(values: Float32Array): string {
  return Buffer.from(bytesOf(values)).toString('base64')
}

function compute(name: string, network: Network, engine: Engine): Line {
  const gradientOf = (lane: LaneInput): { lossSum: number; correct: number; gradient: string } => {
    const gradient = new Float32Array(layoutOf(network).size).fill(Number.NaN)
    const { lossSum, correct } = engine.laneGradient(lane, gradient)
    return { lossSum, correct, gradient: base64(gradient) }
  }
  engine.setParameters(parametersOf(network))
  const lane = laneOf(network, LANE)
  const first = gradientOf(lane)
  const logits = base64(engine.logits(lane.images, LANE))
  // Lanes of other sizes and values are computed in between.
  for (const count of [LANE, 3]) gradientOf(laneOf(network, count, 9))
  const { gradient: ofOne } = gradientOf(laneOf(network, 1, 9))
  const again = gradientOf(lane).gradient === first.gradient && base64(engine.logits(lane.images, LANE)) === logits
  return { name, device: engine.info.device, ...first, ofOne, again, logits }
}

const [precision, gpu] = process.argv.slice(2) as [Precision, string | undefined]
for (const [name, network] of Object.entries(networks)) {
  let line: Line
  try {
    const engine = await createEngine(network, { engine: 'native', precision, threads: 1, numerics: 'native', gpu: gpu === undefined ? undefined : Number(gpu) })
    line = compute(name, network, engine)
    engine.dispose()
  } catch (error) {
    line = { name, error: messageOf(error) }
  }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
