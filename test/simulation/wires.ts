import type { ManifestPart } from '../../shared/data/manifest.ts'
import type { BulkSession, WorkerStreams } from '../../coordinator/exchange/worker_streams.ts'
import type { VirtualClock } from './clock.ts'
import type { Meddler } from './meddler.ts'
import type { SimulatedProcess } from './process.ts'
import type { Trace } from './trace.ts'

/** A connection between two processes, which can break. */
export interface Breakable {
  /** The process that has connected. */
  readonly client: SimulatedProcess
  /** The process that has accepted. */
  readonly server: SimulatedProcess | undefined
  readonly over: boolean
  stall(): void
  flow(): void
  /**
   * Breaks the connection: messages under way are lost.
   * @param seen milliseconds after which each end notices; undefined for an end that does not
   */
  break(seen: { client: number | undefined; server: number | undefined }): void
  /** Breaks only the control stream, while weights and gradients still arrive for a while; or, if `control` is false, only these. */
  breakOne(control: boolean, seen: { client: number; server: number }): void
}

/** The end of a bulk connection (weights and gradients) at the process that reduces: the coordinator or a reducer. */
export interface BulkEnd {
  session: (id: string) => (BulkSession & { streams: WorkerStreams }) | undefined
  /** Manifest of the data set; empty at a reducer. */
  manifest: readonly ManifestPart[]
}

/** A connection that a network can bring to a listener. */
export interface Connectable<End> extends Breakable {
  accept(process: SimulatedProcess, end: End): void
  /** Called when nobody listens. */
  refuse(): void
}

/** What a connection needs of the network that carries it. */
export interface Wires {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly meddler: Meddler
  readonly violated: (what: string) => void
  latency(): number
  latencyOfConnection(): () => number
  isPartitioned(machine: SimulatedProcess): boolean
  connectBulk(bulk: Connectable<BulkEnd>, address: string): void
}
