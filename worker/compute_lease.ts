import type { ComputeProcess } from '../shared/compute/compute_process.ts'
import type { EngineInfo } from '../shared/engine/engine.ts'
import { EngineError } from '../shared/kit/errors.ts'
import type { Compute } from '../shared/compute/compute.ts'
import type { PreparedLane, Stretch, LaneSum } from '../shared/lanes/lane_stack.ts'

/**
 * One session's hold on a compute process. After `close` nothing goes in or comes out through it: a session that is over may still be feeding
 * lanes, which must never mix with those of the next session.
 */
export class ComputeLease implements Compute {
  readonly #process: ComputeProcess
  readonly #giveBack: () => Promise<void>
  #over = false

  /** @param giveBack called once, when the session is over */
  constructor(process: ComputeProcess, giveBack: () => Promise<void>) {
    this.#process = process
    this.#giveBack = giveBack
  }

  get info(): EngineInfo {
    return this.#process.info
  }

  get fingerprint(): string {
    return this.#process.fingerprint
  }

  get note(): string | undefined {
    return this.#process.note
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /**
   * Passes the call on to the process, as the methods below do.
   * @throws EngineError if the lease is closed, or was closed while the process computed
   */
  setParameters(parameters: Float32Array): void {
    this.#held().setParameters(parameters)
  }

  setFrozen(parameters: Float32Array): void {
    this.#held().setFrozen(parameters)
  }

  async push(lane: PreparedLane, node: number): Promise<Stretch> {
    const stretch = await this.#held().push(lane, node)
    this.#held()
    return stretch
  }

  add(node: number): void {
    this.#held().add(node)
  }

  async take(): Promise<LaneSum> {
    const partial = await this.#held().take()
    this.#held()
    return partial
  }

  async clear(): Promise<void> {
    await this.#held().clear()
    this.#held()
  }

  async logits(images: Uint8Array, count: number): Promise<Float32Array> {
    const logits = await this.#held().logits(images, count)
    this.#held()
    return logits
  }

  async close(): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#giveBack()
  }

  /**
   * Returns the process while the lease is held.
   * @throws EngineError if the session is over
   */
  #held(): ComputeProcess {
    if (this.#over) throw new EngineError('the session of this computation is over.')
    return this.#process
  }
}
