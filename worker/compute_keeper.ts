import type { ComputeProcess } from '../shared/compute/compute_process.ts'
import type { RunDescription } from '../shared/wire/run_description.ts'
import { ComputeLease } from './compute_lease.ts'

/** The parts of a run that a compute process is started with: it can serve another run only if they are equal. */
export type ComputeRequest = Pick<RunDescription, 'network' | 'seed' | 'compress' | 'engine' | 'precision' | 'threads' | 'numerics'>

interface Kept {
  process: ComputeProcess
  request: string
  /** Resolves to true when the process has dropped the last session's lanes, to false if that failed. */
  cleared: Promise<boolean>
}

/** Time after which a kept process that has not answered is replaced: it hangs, or computes a huge lane. */
const PATIENCE_MS = 2000

/**
 * Keeps the compute process from one session of a worker to the next, so that no engine has to be loaded when a coordinator is started again or
 * a network partition ends. The process is cleared between two sessions.
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
   * Lends a compute process to a session, which returns it by closing the lease.
   * @throws EngineError if the engine cannot be loaded on this machine
   */
  async lease({ network, seed, compress, engine, precision, threads, numerics }: RunDescription): Promise<ComputeLease> {
    const request = { network, seed, compress, engine, precision, threads, numerics }
    const key = JSON.stringify(request)
    const kept = this.#kept
    this.#kept = undefined
    if (kept?.request === key && (await this.#cleared(kept))) return this.#lend(kept.process, key)
    await kept?.process.close()
    return this.#lend(await this.#start(request), key)
  }

  /** Closes the kept process; no session must follow. */
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
