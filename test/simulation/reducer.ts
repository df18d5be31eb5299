import { HerdError, messageOf } from '../../shared/kit/errors.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { WorkersPort } from '../../reducer/link.ts'
import { ReducerMembership } from '../../reducer/membership.ts'
import type { VirtualClock } from './clock.ts'
import type { Network } from './network.ts'
import type { Problem } from './problem.ts'
import { SimulatedProcess } from './process.ts'
import { noClaims } from './server.ts'
import type { Trace } from './trace.ts'

export interface ReducerParts {
  name: string
  /** Port at which workers reach it. */
  port: number
  clock: VirtualClock
  network: Network
  problem: Problem
  random: KeyedRandom
  trace: Trace
  /** Called when the process has ended by itself. */
  onExit: (how: 'finished' | 'failed') => void
}

const SHORTEST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 1000

/** A reducer process: the loop of reducer/daemon.ts around the real membership. */
export class SimulatedReducer {
  readonly process: SimulatedProcess
  readonly #parts: ReducerParts
  readonly #port: WorkersPort = { connections: noClaims, session: undefined }

  constructor(parts: ReducerParts) {
    this.#parts = parts
    this.process = new SimulatedProcess(parts.name, parts.clock)
  }

  start(): void {
    const { network, trace, port, onExit } = this.#parts
    trace.add(this.process.name, 'starts')
    network.listenBulk(`:${port}`, { process: this.process, end: { session: (id) => this.#port.session?.worker(id), manifest: [] } })
    const exit = (how: 'finished' | 'failed'): void => {
      if (!this.process.alive) return
      this.process.kill()
      trace.add(this.process.name, `ends: ${how}`)
      onExit(how)
    }
    this.process.run(() => {
      this.#live().then(() => exit('finished'), (error: unknown) => {
        if (!(error instanceof HerdError)) network.violated(`${this.process.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
        trace.add(this.process.name, `fails: ${messageOf(error)}`)
        exit('failed')
      })
    })
  }

  async #live(): Promise<void> {
    const { network, problem, port, random, trace } = this.#parts
    const { process } = this
    for (let attempt = 0; ; attempt++) {
      const { end, assigned } = await new ReducerMembership({
        address: `:${port}`, port: this.#port, now: () => process.clock.now / 1000, chunkFloats: problem.chunkFloats,
        connect: (onMessage) => network.connectReducer(process, onMessage),
        every: (milliseconds, action) => process.every(milliseconds, action),
      }).run()
      if (!('reason' in end)) return
      trace.add(process.name, `${end.how}: ${end.reason}`)
      if (assigned) attempt = -1
      else await process.sleep(Math.min(LONGEST_BACKOFF_MS, SHORTEST_BACKOFF_MS * 2 ** attempt) * random.between(1, 2))
    }
  }
}
