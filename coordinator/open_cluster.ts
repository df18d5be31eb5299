import { randomInt, randomUUID } from 'node:crypto'
import { parseAddress } from '../shared/command/options.ts'
import type { ManifestSource } from '../shared/data/manifest.ts'
import type { ImageSource } from '../shared/data/sources/image_source.ts'
import type { Layout } from '../shared/model/layout.ts'
import type { Optimizer, OptimizerState } from '../shared/optim/optimizer.ts'
import { Model } from '../shared/optim/stepped_weights.ts'
import { reachableHost } from '../shared/security/loopback.ts'
import { newSecret } from '../shared/security/secret.ts'
import { machineSeconds, type Span } from '../shared/trace/span.ts'
import type { WeightsBoard } from '../shared/wire/board.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import { listenForWorkers } from './cluster/listen_for_workers.ts'
import type { Precedent } from './cluster/admission.ts'
import type { WorkerCluster } from './cluster/worker_cluster.ts'
import type { Observer } from './contract/events.ts'
import { ReducerHub } from './exchange/remote/hub.ts'
import { cutRanges } from './exchange/remote/ranges.ts'
import { reduceHere, weightsOf, type Reduce, type Weights } from './exchange/reduction.ts'
import type { Bans } from './members/bans.ts'
import { MachineMemory } from './members/machine_memory.ts'
import type { ServerParts } from './members/server.ts'
import { workersWanted, type CoordinatorOptions } from './options.ts'
import type { Access } from './port/access.ts'

/** The place of a run's weights: a model in this process, or reducers in processes of their own. */
export type WeightsHome = {
  weights: Weights
  /** Builds what makes weights of gradients. @param board memory that workers of this machine read weights from */
  reduce: (board?: WeightsBoard) => Reduce
} & ({ model: Model; hub: undefined } | { model: undefined; hub: ReducerHub })

export interface WeightsParts {
  run: RunDescription
  layout: Layout
  optimizer: Optimizer
  start: OptimizerState
  /** Version of the initial weights: the number of steps already taken. */
  version: number
  options: Pick<CoordinatorOptions, 'reducers' | 'reducersElsewhere' | 'silenceLimit'>
  observe: Observer
  /** Receives spans of the coordinator, or of another process by name; undefined if the run is not traced. */
  onSpan: ((span: Span, process?: string) => void) | undefined
  /** Milliseconds on a monotonic clock. */
  now?: () => number
  newId?: () => string
  /** Floats of one chunk on the wire; undefined: the default. */
  chunkFloats?: number
}

/**
 * Places the weights in this process or, with several reducers, in processes that join once the coordinator listens.
 * @throws UsageError if the network has too few parameters for the number of reducers
 */
export function homeOfWeights({ run, layout, optimizer, start, version, options, observe, onSpan, now = milliseconds, newId = newSecret, chunkFloats }: WeightsParts): WeightsHome {
  const ranges = cutRanges(layout.size, options.reducers, chunkFloats)
  if (ranges.length === 1) {
    const model = new Model(layout, optimizer, start)
    return { model, weights: weightsOf(model), hub: undefined, reduce: (board) => reduceHere(model, version, board) }
  }
  const hub = new ReducerHub({
    ranges, run: JSON.stringify(run), optimizer, start, version, local: !options.reducersElsewhere, silenceLimitMs: options.silenceLimit * 1000, now, newId, observe,
    ...spansBy(onSpan, 'onReducerSpan'), ...(chunkFloats === undefined ? {} : { chunkFloats }),
  })
  return { model: undefined, weights: hub, hub, reduce: () => hub.reduce }
}

export interface ClusterParts extends Pick<WeightsParts, 'run' | 'layout' | 'observe' | 'onSpan'> {
  home: WeightsHome
  options: Pick<CoordinatorOptions, 'listen' | 'sharedMemory' | 'minWorkers' | 'localWorkers' | 'workers' | 'waitForWorkers' | 'allowMixedNumerics' | 'silenceLimit' | 'verify'>
  access: Access
  /** Number of the first steps in which everything is checked. */
  attentiveUntil: number
  /** How the run computed before it was resumed. */
  precedent: Precedent | undefined
  /** Identities that were put out of the run. */
  bans: Bans
  /** What workers are told of the data set. */
  dataset: ManifestSource
  /** Parameters that keep their values; empty if all are trained. */
  frozen: Float32Array
  source: ImageSource
  /** Sample ids of the test set. */
  test: readonly number[]
  brief: ServerParts['brief']
}

export interface OpenedCluster {
  cluster: WorkerCluster
  /** HOST:PORT on which the coordinator listens, with the host of --listen. */
  address: string
  /** HOST:PORT at which processes of this machine reach it. */
  localAddress: string
}

/**
 * Listens for workers and reducers, and connects them to the cluster's logic.
 * @throws RunError if the address cannot be bound
 */
export async function openCluster({ run, layout, home, options, access, attentiveUntil, precedent, bans, dataset, frozen, source, test, brief, observe, onSpan }: ClusterParts): Promise<OpenedCluster> {
  const { hub } = home
  const memory = hub === undefined && options.sharedMemory === 'auto' ? MachineMemory.create(layout.size) : undefined
  const { cluster, port } = await listenForWorkers({
    address: options.listen, run, test,
    reduce: home.reduce(memory?.board),
    workersWanted: workersWanted(options),
    waitLimitMs: options.waitForWorkers === undefined ? Number.POSITIVE_INFINITY : options.waitForWorkers * 1000,
    allowMixedNumerics: options.allowMixedNumerics, precedent,
    vigilance: { share: options.verify, attentiveUntil, secret: newSecret(), random: secretUniform },
    ban: (who, why) => bans.ban(who, why),
    silenceLimitMs: options.silenceLimit * 1000,
    server: {
      runId: randomUUID(), run: JSON.stringify(run), dataset, source, brief, access, bans,
      ...(hub === undefined ? {} : { reducers: hub }), ...(memory === undefined ? {} : { memory }), ...(frozen.length === 0 ? {} : { frozen }),
    },
    now: milliseconds,
    observe,
    ...(onSpan === undefined ? {} : { onSpan }),
    ...spansBy(onSpan, 'onWorkerSpan'),
  })
  const host = parseAddress(options.listen)?.host ?? '127.0.0.1'
  const addressOf = (name: string): string => `${name.includes(':') ? `[${name}]` : name}:${port}`
  return { cluster, address: addressOf(host), localAddress: addressOf(reachableHost(host)) }
}

/** Returns a uniform number, 0 <= x < 1, that nobody can foresee. */
const secretUniform = (): number => randomInt(2 ** 32) / 2 ** 32

const milliseconds = (): number => machineSeconds() * 1000

/** Builds the part `key` that receives spans of other processes by name; an empty object if the run is not traced. */
function spansBy<K extends string>(onSpan: ((span: Span, process?: string) => void) | undefined, key: K): { [key in K]?: (process: string, span: Span) => void } {
  return onSpan === undefined ? {} : ({ [key]: (process: string, span: Span) => onSpan(span, process) } as { [key in K]: (process: string, span: Span) => void })
}
