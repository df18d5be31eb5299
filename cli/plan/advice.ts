import { BLOCK_FLOATS, encodedBytes, type Compression } from '../../shared/compress/format.ts'
import type { Costs } from './costs.ts'
import { predict, type Cluster, type Prediction } from './speed_model.ts'

/** Bytes on the wire for each byte of float32. */
export function shrinkOf(compression: Compression): number {
  return encodedBytes(compression, BLOCK_FLOATS) / encodedBytes('none', BLOCK_FLOATS)
}

/** A change to a cluster that makes it faster. */
export interface Advice {
  what: string
  imagesPerSecond: number
  /** Speed with the change, divided by the speed without it. */
  gain: number
}

/** Smallest gain that is worth advising. */
const WORTH_SAYING = 1.1
/** Gain in speed below which further workers are not worth having. */
const WORTH_A_WORKER = 1.05
const MANY_REDUCERS = 4

/** Predictions for 1 to `most` workers, all else equal. */
export function curveOf(costs: Costs, cluster: Cluster, most: number): { workers: number; prediction: Prediction }[] {
  return Array.from({ length: most }, (_, index) => ({ workers: index + 1, prediction: predict(costs, { ...cluster, workers: index + 1 }) }))
}

/** Smallest number of workers to which adding any more would gain less than 5 %. More workers than lanes never gain anything. */
export function enoughWorkers(costs: Costs, cluster: Cluster): number {
  const speeds = curveOf(costs, cluster, cluster.lanes).map(({ prediction }) => prediction.imagesPerSecond)
  const best = Math.max(...speeds)
  return speeds.findIndex((speed) => speed * WORTH_A_WORKER >= best) + 1
}

/** Changes that would make this cluster faster by a tenth or more, the best first. A change of lanes or batch changes the result of the run too. */
export function adviceFor(costs: Costs, cluster: Cluster): Advice[] {
  const now = predict(costs, cluster).imagesPerSecond
  return alternatives(cluster)
    .map(({ what, change }) => ({ what, imagesPerSecond: predict(costs, { ...cluster, ...change }).imagesPerSecond }))
    .map((one) => ({ ...one, gain: one.imagesPerSecond / now }))
    .filter(({ gain }) => gain >= WORTH_SAYING)
    .sort((a, b) => b.gain - a.gain)
}

function alternatives({ batch, lanes, workers, shrink, reducers, sharedCores }: Cluster): { what: string; change: Partial<Cluster> }[] {
  const all: { what: string; change: Partial<Cluster> }[] = []
  // A multiple of the number of workers gives every worker the same number of lanes.
  const even = Math.ceil(lanes / workers) * workers
  if (even !== lanes && even <= batch) all.push({ what: `--lanes ${even}, as many for each worker`, change: { lanes: even } })
  const fewer = Math.floor(lanes / workers) * workers
  if (fewer > 0 && fewer !== lanes) all.push({ what: `--lanes ${fewer}, as many for each worker`, change: { lanes: fewer } })
  if (workers < lanes) all.push({ what: `--lanes ${workers}, one for each worker`, change: { lanes: workers } })
  all.push({ what: `--batch ${2 * batch}, twice the images in each lane`, change: { batch: 2 * batch } })
  for (const format of ['bf16', 'int8'] as const) {
    const share = shrinkOf(format)
    if (shrink.up > share || shrink.down > share) all.push({ what: `--compress ${format} --compress-weights ${format}, fewer bytes`, change: { shrink: { up: Math.min(share, shrink.up), down: Math.min(share, shrink.down) } } })
  }
  if (sharedCores === undefined) for (let count = 2 * reducers; count <= MANY_REDUCERS * reducers; count *= 2) all.push({ what: `--reducers ${count}, each with a link of its own`, change: { reducers: count } })
  return all
}
