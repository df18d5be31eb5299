import { ManifestReader } from '../../shared/data/manifest.ts'
import { HerdError, messageOf } from '../../shared/kit/errors.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { Membership, type MembershipResult } from '../../worker/membership.ts'
import type { VirtualClock } from './clock.ts'
import { SimulatedCompute, type ComputeParts } from './compute.ts'
import type { Network } from './network.ts'
import type { Problem } from './problem.ts'
import { SimulatedProcess } from './process.ts'
import type { Count } from './statistics.ts'
import type { Trace } from './trace.ts'
import { unobserved } from '../support/unobserved.ts'

export interface WorkerParts {
  name: string
  clock: VirtualClock
  network: Network
  problem: Problem
  random: KeyedRandom
  trace: Trace
  count: Count
  /** Milliseconds for one image, which can change during the run. */
  imageMs: () => number
  /** Changes sums of gradients; undefined for a worker that does not lie. */
  lie: ComputeParts['lie']
  /** Called when the process has ended by itself. */
  onExit: (worker: SimulatedWorker, how: 'finished' | 'left' | 'failed') => void
}

const SHORTEST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 1000
const BEFORE_READY_PAUSE_MS = 500

/** A worker process: the loop of worker/daemon.ts around the real membership. */
export class SimulatedWorker {
  readonly process: SimulatedProcess
  readonly #parts: WorkerParts
  #membership: Membership<SimulatedCompute> | undefined
  #compute: SimulatedCompute | undefined
  #stopping = false
  readonly #instance: string

  constructor(parts: WorkerParts) {
    this.#parts = parts
    this.process = new SimulatedProcess(parts.name, parts.clock)
    this.#instance = `${parts.name} ${parts.random.below(2 ** 30)}`
  }

  start(): void {
    this.process.run(() => {
      this.#live().then((how) => this.#exit(how), (error: unknown) => {
        if (!(error instanceof HerdError)) this.#parts.network.violated(`${this.process.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
        this.#parts.trace.add(this.process.name, `fails: ${messageOf(error)}`)
        this.#exit('failed')
      })
    })
  }

  /** Lets the worker leave in order. */
  stop(): void {
    this.process.run(() => {
      this.#stopping = true
      this.#membership?.leave()
    })
  }

  crashCompute(): void {
    this.#compute?.crash()
  }

  #exit(how: 'finished' | 'left' | 'failed'): void {
    if (!this.process.alive) return
    this.process.kill()
    this.#compute?.crash()
    this.#parts.trace.add(this.process.name, `ends: ${how}`)
    this.#parts.onExit(this, how)
  }

  async #live(): Promise<'finished' | 'left'> {
    for (let attempt = 0; !this.#stopping; attempt++) {
      const { end, welcomed, joined } = await this.#join()
      if (end.how === 'finished') return 'finished'
      if ('reason' in end) this.#parts.trace.add(this.process.name, `${end.how}: ${end.reason}`)
      if (welcomed) {
        attempt = -1
        if (!joined) await this.process.sleep(BEFORE_READY_PAUSE_MS)
      } else await this.process.sleep(Math.min(LONGEST_BACKOFF_MS, SHORTEST_BACKOFF_MS * 2 ** attempt) * this.#parts.random.between(1, 2))
    }
    return 'left'
  }

  #join(): Promise<MembershipResult> {
    const { name, network, problem, random, count, imageMs, lie } = this.#parts
    const { process } = this
    this.#membership = new Membership<SimulatedCompute>({
      name, instance: this.#instance, engine: 'auto', metricsAddress: '', chunkFloats: problem.chunkFloats,
      connect: (onMessage) => network.connect(process, onMessage),
      startCompute: async (run) => {
        await process.sleep(random.between(20, 400))
        this.#compute = new SimulatedCompute({ run, overflowFrom: problem.overflowFrom, worker: process, random, imageMs, count, lie })
        return this.#compute
      },
      inputFacts: () => Promise.resolve({ fingerprint: '', versions: '' }),
      fetchData: async (link) => {
        const manifest = new ManifestReader()
        for await (const part of link.fetchManifest(true)) manifest.take(part)
        const { digest } = manifest.copy()
        return async () => {
          await process.sleep(random.between(0, 50))
          return { digest, images: { samples: problem.samples, source: { read: () => process.sleep(random.between(0, 30)).then(() => []) }, decoded: problem.decoded } }
        }
      },
      residentBytes: () => Promise.resolve(0),
      every: (milliseconds, action) => process.every(milliseconds, action),
      now: () => process.clock.now / 1000,
      observer: unobserved,
    })
    return this.#membership.run()
  }
}
