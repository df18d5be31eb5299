import { sumRounding } from '../../shared/compress/codec.ts'
import type { Compression } from '../../shared/compress/format.ts'
import type { Compute } from '../../shared/compute/compute.ts'
import type { PreparedLane, Stretch, LaneSum } from '../../shared/lanes/lane_stack.ts'
import { machineSeconds } from '../../shared/trace/span.ts'

/** Time that a lane is said to have taken: above 0, as with every real engine. */
const LANE_SECONDS = 1e-6

/** A compute that takes no time: every partial sum is the same vector, so that a step consists of the exchange. */
export class StillCompute implements Compute {
  readonly info = { kind: 'wasm', mode: 'eager', precision: 'f32', threads: 1, device: 'none', version: 'none' } as const
  readonly fingerprint = 'none'
  readonly note = undefined
  readonly pid = undefined
  readonly #gradient: Float32Array
  readonly #stack: LaneSum['lanes'][] = []

  constructor(size: number, compress: Compression) {
    this.#gradient = new Float32Array(size).fill(1e-3)
    sumRounding(compress, 0)(this.#gradient, 0, 0, 0)
  }

  setParameters(): void {
    // The parameters are not needed, since nothing is computed.
  }

  setFrozen(): void {
    // Neither are these.
  }

  push({ lane, samples }: PreparedLane): Promise<Stretch> {
    this.#stack.push([{ lane, lossSum: 0, correct: 0, samples: samples.length, seconds: LANE_SECONDS, notFinite: false }])
    const now = machineSeconds()
    return Promise.resolve({ begin: now, end: now + LANE_SECONDS })
  }

  add(): void {
    const [left = [], right = []] = this.#stack.splice(-2)
    this.#stack.push([...left, ...right])
  }

  take(): Promise<LaneSum> {
    return Promise.resolve({ values: this.#gradient, lanes: this.#stack.pop() ?? [] })
  }

  clear(): Promise<void> {
    this.#stack.length = 0
    return Promise.resolve()
  }

  logits(): Promise<Float32Array> {
    return Promise.reject(new Error('nothing is computed here'))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
