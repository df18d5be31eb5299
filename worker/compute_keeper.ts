import type { ComputeProcess } from '../shared/compute/compute_process.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import { ComputeLease } from './compute_lease.ts'

/** What decides a compute process. */
export type ComputeRequest = Pick<RunDescription, 'network' | 'seed' | 'compress' | 'engine' | 'precision' | 'threads'>

interface Kept {
  process: ComputeProcess
  request: string
  /** Whether the process has let go of the last session's lanes. */
  cleared: Promise<boolean>
}

/** A kept process that has not answered for so long when it is wanted (it hangs, or computes a huge lane) is replaced. */
const PATIENCE_MS = 2000

/**
 * Keeps the compute process from one session of a worker to the next: a coordinator that was started again, or a network
 * that is whole again, then waits for no engine to load. Between two sessions the process is cleared.
 */
export class ComputeKeeper {
  readonly #start: (request: ComputeRequest) => Promise<ComputeProcess>
  readonly #patienceMs: number
  #kept: Kept | undefined
  #closed = false

  constructor(start: (request: ComputeRequest) => Promise<ComputeProcess>, patienceMs = PATIENCE_MS) {
    this.#start = start
    this.#patienceMs = patienceMs
  }

  /**
   * A process for a session, which gives it back by closing the lease.
   * @throws EngineError when the engine cannot be loaded there.
   */
  async lease({ network, seed, compress, engine, precision, threads }: RunDescription): Promise<ComputeLease> {
    const request = { network, seed, compress, engine, precision, threads }
    const key = JSON.stringify(request)
    const kept = this.#kept
    this.#kept = undefined
    if (kept?.request === key && (await this.#cleared(kept))) return this.#lend(kept.process, key)
    await kept?.process.close()
    return this.#lend(await this.#start(request), key)
  }

  /** No session will come. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#kept?.process.close()
    this.#kept = undefined
  }

  #lend(process: ComputeProcess, request: string): ComputeLease {
    return new ComputeLease(process, async () => {
      if (this.#closed || this.#kept !== undefined || !process.usable) return process.close()
      this.#kept = { process, request, cleared: process.clear().then(() => true, () => false) }
    })
  }

  async #cleared({ cleared }: Kept): Promise<boolean> {
    let patience: NodeJS.Timeout | undefined
    const impatient = new Promise<boolean>((resolve) => (patience = setTimeout(() => resolve(false), this.#patienceMs)))
    const done = await Promise.race([cleared, impatient])
    clearTimeout(patience)
    return done
  }
}
