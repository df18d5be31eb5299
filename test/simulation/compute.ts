import type { EngineInfo } from '../../shared/engine/engine.ts'
import { EngineError } from '../../shared/kit/errors.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { Compute } from '../../shared/compute/compute.ts'
import { LaneStack, type PreparedLane, type Stretch, type LaneSum } from '../../shared/lanes/lane_stack.ts'
import type { RunDescription } from '../../shared/wire/run_description.ts'
import { SoftmaxEngine } from './engine.ts'
import { SimulatedProcess } from './process.ts'
import type { Count } from './statistics.ts'

export interface ComputeParts {
  run: RunDescription
  overflowFrom: number
  worker: SimulatedProcess
  random: KeyedRandom
  /** Milliseconds for one image. */
  imageMs: () => number
  count: Count
  /** Changes a sum before it is handed over; undefined for a worker that does not lie. */
  lie: ((sum: LaneSum) => void) | undefined
}

interface Operation {
  ms: number
  run: () => void
}

interface Waiting {
  reject(error: Error): void
}

/**
 * A worker's compute process: it computes real lanes with the real lane stack, one operation after the other, each done
 * when its simulated time has passed. It goes on while its worker hangs, and may die by itself.
 */
export class SimulatedCompute implements Compute {
  readonly info: EngineInfo
  readonly fingerprint = 'simulated'
  readonly note = undefined
  readonly #parts: ComputeParts
  readonly #process: SimulatedProcess
  readonly #engine: SoftmaxEngine
  readonly #stack: LaneStack
  readonly #operations: Operation[] = []
  readonly #waiting = new Set<Waiting>()
  /** Next readings of the lane stack's clock, in seconds: begin and end of a lane. */
  readonly #seconds: number[] = []
  #busy = false
  #failure: EngineError | undefined

  constructor(parts: ComputeParts) {
    const { run, overflowFrom, worker } = parts
    this.#parts = parts
    this.#process = new SimulatedProcess(`${worker.name} compute`, worker.clock)
    this.#engine = new SoftmaxEngine(run.network, overflowFrom)
    this.#stack = new LaneStack(this.#engine, run.network, run, () => this.#seconds.shift() ?? 0)
    this.info = this.#engine.info
  }

  setParameters(parameters: Float32Array): void {
    this.#enqueue({ ms: 1, run: () => this.#engine.setParameters(parameters) })
  }

  setFrozen(): void {
    throw new Error('no network of the simulation has frozen parameters')
  }

  push(lane: PreparedLane, node: number): Promise<Stretch> {
    const ms = this.#imagesMs(lane.samples.length)
    return this.#ask(ms, () => {
      const end = this.#process.clock.now / 1000
      this.#seconds.push(end - ms / 1000, end)
      this.#parts.count('lanes computed')
      return this.#stack.push(lane, node)
    })
  }

  add(node: number): void {
    this.#enqueue({ ms: 0.1, run: () => this.#stack.add(node) })
  }

  take(): Promise<LaneSum> {
    return this.#ask(0.1, () => {
      const { values, lanes } = this.#stack.take()
      const sum = { values: values.slice(), lanes }
      this.#stack.recycle(values)
      this.#parts.lie?.(sum)
      return sum
    })
  }

  clear(): Promise<void> {
    return this.#ask(0.1, () => this.#stack.clear())
  }

  logits(images: Uint8Array, count: number): Promise<Float32Array> {
    return this.#ask(this.#imagesMs(count) / 4, () => {
      this.#parts.count('test blocks computed')
      return this.#engine.logits(images, count)
    })
  }

  close(): Promise<void> {
    this.#process.kill()
    this.#fail(new EngineError('the compute process was closed.'))
    return Promise.resolve()
  }

  /** Lets the process die. */
  crash(): void {
    if (!this.#process.alive) return
    this.#process.kill()
    this.#parts.worker.run(() => this.#fail(new EngineError('the compute process ended by SIGKILL.')))
  }

  #imagesMs(images: number): number {
    return 1 + images * this.#parts.imageMs() * this.#parts.random.between(0.8, 1.2)
  }

  #ask<T>(ms: number, answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting = { reject }
      this.#waiting.add(waiting)
      this.#enqueue({
        ms,
        run: () => {
          const value = answer()
          this.#parts.worker.run(() => {
            this.#waiting.delete(waiting)
            resolve(value)
          })
        },
      })
    })
  }

  #enqueue(operation: Operation): void {
    if (this.#failure !== undefined) throw this.#failure
    this.#operations.push(operation)
    if (!this.#busy) this.#next()
  }

  #next(): void {
    const operation = this.#operations.shift()
    this.#busy = operation !== undefined
    if (operation === undefined) return
    this.#process.after(operation.ms, () => {
      operation.run()
      this.#next()
    })
  }

  #fail(error: EngineError): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting) reject(this.#failure)
    this.#waiting.clear()
  }
}
