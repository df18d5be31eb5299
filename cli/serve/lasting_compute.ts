import type { ComputeProcess } from '../../shared/compute/compute_process.ts'
import type { EngineInfo } from '../../shared/engine/engine.ts'
import { EngineError, messageOf } from '../../shared/kit/errors.ts'
import type { Log } from '../../shared/kit/log.ts'

/** A compute process that is started again when it dies, e.g. for want of memory; what it was asked meanwhile is asked again. */
export class LastingCompute {
  readonly #start: () => Promise<ComputeProcess>
  readonly #log: Pick<Log, 'error'>
  #process: Promise<ComputeProcess>
  #closed = false
  /** Number of times that the process was started again. */
  restarts = 0

  private constructor(start: () => Promise<ComputeProcess>, first: ComputeProcess, log: Pick<Log, 'error'>) {
    this.#start = start
    this.#process = Promise.resolve(first)
    this.#log = log
  }

  /** Starts the process. @param start starts one with the parameters of the network @throws EngineError as `start` does */
  static async start(start: () => Promise<ComputeProcess>, log: Pick<Log, 'error'>): Promise<LastingCompute> {
    return new LastingCompute(start, await start(), log)
  }

  /** Engine of the process. */
  async info(): Promise<EngineInfo> {
    return (await this.#process).info
  }

  /** Process id of the process. */
  async pid(): Promise<number | undefined> {
    return (await this.#process).pid
  }

  /**
   * Computes logits, one call at a time.
   * @param pixels uint8 [count, imageSize, imageSize, 3]
   * @returns float32 [count, classes]
   * @throws EngineError if the process dies twice, cannot be started again, or is closed
   */
  async logits(pixels: Uint8Array, count: number): Promise<Float32Array> {
    try {
      return await (await this.#process).logits(pixels, count)
    } catch (error) {
      if (this.#closed || !(error instanceof EngineError)) throw error
      this.#log.error(`${messageOf(error)} It is started again.`)
      this.restarts++
      this.#process = this.#start()
      return await (await this.#process).logits(pixels, count)
    }
  }

  /** Ends the process; what is being computed fails. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#process.then((process) => process.close(), () => undefined)
  }
}
