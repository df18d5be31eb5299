import type { Costs, Work } from './costs.ts'
import { dealLanes, type DealtLanes } from './dealt_lanes.ts'
import { CHUNK_FLOATS } from '../../shared/vectors/chunks.ts'
import { WINDOW_BYTES } from '../../shared/wire/service.ts'

/** A cluster whose speed is to be predicted. */
export interface Cluster {
  workers: number
  /** Images of a global batch. */
  batch: number
  lanes: number
  /** Floats of the vector that is exchanged. */
  floats: number
  /** Floating-point operations of an image's gradient. */
  flopsPerImage: number
  /** Pixels of an image as it enters the network. */
  pixels: number
  /** Images a second that a worker computes by itself; undefined if this is to be predicted from the costs. */
  imagesPerSecond?: number
  network: Network
  /** Bytes on the wire for each byte of float32: `up` for gradients, `down` for weights. */
  shrink: { up: number; down: number }
  /** Number of reducers, each on a machine of its own and with a range of the vector. */
  reducers: number
  /** Cores of the one machine on which everything runs; undefined if each process has cores of its own. */
  sharedCores?: number
}

export interface Network {
  /** Bandwidth of a worker's link, in bytes a second each way. */
  worker: number
  /** Bandwidth of the coordinator's link, and of each reducer's, in bytes a second each way. */
  coordinator: number
  /** Latency from a worker to the coordinator, one way, in seconds. */
  latency: number
}

/** Stages of an exchange, of which the longest limits it. */
export const STAGES = ["the worker's thread", "the worker's link, up", "the coordinator's link, in", "the coordinator's thread", "the coordinator's link, out", "the worker's link, down", 'the cores'] as const
export type Stage = (typeof STAGES)[number]

/** A predicted step: its parts in seconds, and the speed that follows from them. */
export interface Prediction {
  /** Seconds that the busiest worker computes gradients. */
  compute: number
  /** Seconds that a worker waits for images besides. */
  input: number
  /** Seconds from a worker's last lane to the new weights: partial sums, sum, optimizer, broadcast. */
  exchange: number
  latency: number
  /** Seconds of the whole step. */
  step: number
  stepsPerSecond: number
  imagesPerSecond: number
  /** Images/s of all workers, divided by the number of workers times the images/s of one worker alone. */
  efficiency: number
  /** Seconds that the exchange would take if only this stage took time. */
  stages: Record<Stage, number>
  longestStage: Stage
  bound: 'compute' | 'input' | 'exchange' | 'latency'
  /** Lanes of the busiest worker. */
  busiestLanes: number
}

/** Share of a link's bytes that is left after the headers of Ethernet, IP and TCP, with full packets. */
const PAYLOAD = 0.94
const BYTES_PER_FLOAT = 4

/** Predicts how long a step of a cluster takes, by the model that docs/plan.md explains. */
export function predict(costs: Costs, cluster: Cluster): Prediction {
  const alone = cluster.workers === 1 ? undefined : predict(costs, { ...cluster, workers: 1 })
  const dealt = dealLanes(cluster.batch, cluster.lanes, cluster.workers)
  const computes = dealt.map((lanes) => computeSeconds(costs, cluster, lanes))
  const compute = Math.max(...computes)
  const input = Math.max(0, ...dealt.map(({ images }) => sumOf(images) * cluster.pixels * costs.inputPixel - compute))
  const stages = stagesOf(costs, cluster, dealt, 'last')
  const exchange = Math.max(overlapped(stages, cluster, costs.unhidden) + backlog(costs, cluster, dealt), spreadOverCores(costs, cluster, dealt, computes) - compute - input)
  const latency = 2 * cluster.network.latency
  const step = compute + input + exchange + latency
  const parts = { compute, input, exchange, latency }
  const imagesPerSecond = cluster.batch / step
  return {
    ...parts, step, stepsPerSecond: 1 / step, imagesPerSecond,
    efficiency: alone === undefined ? 1 : imagesPerSecond / (cluster.workers * alone.imagesPerSecond),
    stages, longestStage: largest(stages), bound: largest(parts), busiestLanes: Math.max(...dealt.map(({ images }) => images.length)),
  }
}

/** Seconds in which a worker computes all its lanes; they take longer if it shares cores with others. */
function computeSeconds(costs: Costs, cluster: Cluster, { images }: DealtLanes): number {
  return (costs.compute.step + images.reduce((sum, count) => sum + laneSeconds(costs, cluster, count), 0)) * crowding(costs, cluster)
}

function laneSeconds({ compute }: Costs, { imagesPerSecond, flopsPerImage }: Cluster, images: number): number {
  if (imagesPerSecond !== undefined) return images / imagesPerSecond
  return compute.lane + (images * compute.image * flopsPerImage) / compute.flopsPerImage
}

/** Factor by which sharing cores slows computation down: busy cores slow each other, and more computing processes than cores take turns. */
function crowding({ compute: { crowded } }: Costs, { workers, lanes, sharedCores }: Cluster): number {
  const computing = Math.min(workers, lanes)
  if (sharedCores === undefined || computing === 1) return 1
  return (1 + (crowded - 1) * Math.min(1, (computing - 1) / Math.max(1, sharedCores - 1))) * Math.max(1, computing / sharedCores)
}

/** Seconds of all work divided by all shared cores, which no step can be shorter than; 0 if each process has cores of its own. */
function spreadOverCores(costs: Costs, cluster: Cluster, dealt: readonly DealtLanes[], computes: readonly number[]): number {
  if (cluster.sharedCores === undefined) return 0
  const turns = Math.max(1, dealt.length / cluster.sharedCores)
  const images = cluster.batch * cluster.pixels * costs.inputPixel
  return (sumOf(computes) / turns + images + processorSeconds(costs, cluster, sumOf(dealt.map(({ partialsAfter }) => partialsAfter.length)))) / cluster.sharedCores
}

/** Processor time, in seconds, of all processes together for the exchange of so many partial sums. */
export function processorSeconds(costs: Costs, { workers, floats }: Pick<Cluster, 'workers' | 'floats'>, partials: number): number {
  const bytes = floats * BYTES_PER_FLOAT
  const worker = costs.worker.processor
  return workSeconds(costs.coordinator.processor, { bytes, partials, peers: workers }) + workers * (worker.step + worker.byte * bytes) + worker.partialByte * bytes * partials
}

/** Seconds that a process works in a step, for a vector of so many bytes, so many partial sums and so many workers. */
export function workSeconds({ step, peer, byte, partialByte, peerByte }: Work, { bytes, partials, peers }: { bytes: number; partials: number; peers: number }): number {
  return step + peer * peers + byte * bytes + partialByte * bytes * partials + peerByte * bytes * peers
}

/**
 * Seconds of each stage of the exchange; the stages work on different chunks at the same time.
 * @param which 'last' counts only the partial sum that each worker sends last, 'all' counts all of them
 */
function stagesOf(costs: Costs, cluster: Cluster, dealt: readonly DealtLanes[], which: 'last' | 'all'): Record<Stage, number> {
  const { workers, floats, shrink, reducers, network, sharedCores } = cluster
  const bytes = floats * BYTES_PER_FLOAT
  const partials = which === 'last' ? dealt.length : sumOf(dealt.map(({ partialsAfter }) => partialsAfter.length))
  const own = which === 'last' ? 1 : Math.max(...dealt.map(({ partialsAfter }) => partialsAfter.length))
  const link = streamRate(network)
  const coordinator = network.coordinator * PAYLOAD * reducers
  return {
    "the worker's thread": workSeconds(costs.worker.thread, { bytes, partials: own, peers: 1 }),
    "the worker's link, up": (own * bytes * shrink.up) / link,
    "the coordinator's link, in": (partials * bytes * shrink.up) / coordinator,
    "the coordinator's thread": workSeconds(costs.coordinator.thread, { bytes: bytes / reducers, partials, peers: workers }),
    "the coordinator's link, out": (workers * bytes * shrink.down) / coordinator,
    "the worker's link, down": (bytes * shrink.down) / link,
    'the cores': sharedCores === undefined ? 0 : processorSeconds(costs, cluster, partials) / sharedCores,
  }
}

/** Bytes a second of one worker's stream: no more than one flow-control window can be under way unacknowledged. */
function streamRate({ worker, latency }: Network): number {
  return Math.min(worker * PAYLOAD, latency === 0 ? Number.POSITIVE_INFINITY : WINDOW_BYTES / (2 * latency))
}

const THREADS: readonly Stage[] = ["the worker's thread", "the coordinator's thread"]
const COORDINATOR_LINKS: readonly Stage[] = ["the coordinator's link, in", "the coordinator's link, out"]

/**
 * Seconds of an exchange whose stages work side by side, chunk by chunk: all of the longest stage, and of each other stage the part
 * before the first chunk reaches the longest one or after the last chunk has left it. For a link this is one chunk's time; for a thread,
 * which takes turns with others and holds chunks back until those of all workers are there, it is a measured share. The cores are no
 * stage on a chunk's way: they only bound the others.
 */
function overlapped(stages: Record<Stage, number>, cluster: Cluster, unhidden: number): number {
  const longest = largest(stages)
  const chunks = Math.max(1, Math.round(cluster.floats / CHUNK_FLOATS))
  const shareOf = (stage: Stage): number => {
    if (THREADS.includes(stage)) return unhidden
    // Each reducer's link carries only the chunks of its range, so one chunk is a larger share of the link's time.
    return COORDINATOR_LINKS.includes(stage) ? Math.min(1, cluster.reducers / chunks) : 1 / chunks
  }
  const others = STAGES.filter((stage) => stage !== longest && stage !== 'the cores')
  return stages[longest] + sumOf(others.map((stage) => stages[stage] * shareOf(stage)))
}

/** Seconds of an exchange of workers that compute nothing, so that all their partial sums are ready at once. */
export function stillExchange(costs: Costs, cluster: Cluster): number {
  const dealt = dealLanes(cluster.batch, cluster.lanes, cluster.workers)
  return overlapped(stagesOf(costs, cluster, dealt, 'all'), cluster, costs.unhidden) + 2 * cluster.network.latency
}

/** Seconds that a worker's last partial sum waits for the earlier ones, each of which begins to leave as soon as it is complete. */
function backlog(costs: Costs, cluster: Cluster, dealt: readonly DealtLanes[]): number {
  const all = stagesOf(costs, cluster, dealt, 'all')
  const last = stagesOf(costs, cluster, dealt, 'last')
  const most = Math.max(...dealt.map(({ partialsAfter }) => partialsAfter.length))
  if (most === 1) return 0
  const perPartial = Math.max(...STAGES.map((stage) => all[stage] - last[stage])) / (most - 1)
  return Math.max(...dealt.map(({ images, partialsAfter }) => {
    const readyAt = partialsAfter.map((count) => computeSeconds(costs, cluster, { images: images.slice(0, count), partialsAfter }))
    const free = readyAt.slice(0, -1).reduce((at, ready) => Math.max(at, ready) + perPartial, 0)
    return Math.max(0, free - readyAt[readyAt.length - 1])
  }))
}

function largest<Name extends string>(parts: Record<Name, number>): Name {
  const names = Object.keys(parts) as Name[]
  return names.reduce((best, name) => (parts[name] > parts[best] ? name : best))
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
