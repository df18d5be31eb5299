import type { Codec } from '../shared/compress/codec.ts'
import type { LaneSum } from '../shared/lanes/lane_stack.ts'
import type { Span } from '../shared/trace/span.ts'
import { chunkRanges } from '../shared/vectors/chunks.ts'
import type { Job } from './job.ts'
import type { Link } from './link.ts'

export interface UploaderParts {
  link: Pick<Link, 'sendGradient'>
  codec: Codec
  /** Number of floats in the gradient vector. */
  size: number
  /** Number of floats in one chunk on the wire; undefined: the default. */
  chunkFloats: number | undefined
  /** Ranges of the gradient vector, one for each reducer; undefined: one range, the whole vector. */
  ranges: readonly { begin: number; end: number }[] | undefined
  now: () => number
  onSpan: (span: Span) => void
}

/** Sends partials (sums of lanes' gradients) to the reducers, in chunks; one partial after the other, beside the computing. */
export class Uploader {
  readonly #parts: UploaderParts
  /** Chunks of the gradient vector, in one list for each reducer's range. */
  readonly #chunks: { begin: number; end: number }[][]
  #before: Promise<void> = Promise.resolve()

  constructor(parts: UploaderParts) {
    this.#parts = parts
    const chunks = chunkRanges(parts.size, parts.chunkFloats)
    this.#chunks = (parts.ranges ?? [{ begin: 0, end: parts.size }]).map((range) => chunks.filter(({ begin, end }) => begin >= range.begin && end <= range.end))
  }

  /**
   * Sends a partial once it is computed and those before it are sent; nothing of it is sent once its job is abandoned.
   * @param begin receives the partial when its turn has come, before its first chunk is sent
   */
  send(job: Job, node: number, taken: Promise<LaneSum>, begin: (partial: LaneSum) => void): Promise<void> {
    this.#before = Promise.all([taken, this.#before]).then(([partial]) => {
      begin(partial)
      return this.#send(job, node, partial)
    })
    return this.#before
  }

  async #send(job: Job, node: number, partial: LaneSum): Promise<void> {
    const { link, codec, now, onSpan } = this.#parts
    const { round, attempt, step } = job.deal
    const began = now()
    // Chunks go to one reducer one after the other, and to all reducers in parallel.
    await Promise.all(this.#chunks.map(async (chunks) => {
      for (const [index, { begin, end }] of chunks.entries()) {
        if (job.abandoned) return
        const lanes = index === chunks.length - 1 ? partial.lanes : []
        await link.sendGradient({ round, attempt, node, offset: begin, data: codec.encode(partial.values.subarray(begin, end)), lanes, began })
      }
    }))
    if (!job.abandoned) onSpan({ name: 'upload', begin: began, end: now(), step, unit: partial.lanes[0]?.lane })
  }
}
