import type { OptimizerState } from '../../shared/train/adam.ts'
import type { StateChunk } from '../../shared/wire/messages.ts'
import type { Range } from '../step_reduce.ts'
import { StateInbox } from './state_chunks.ts'

/** The weights of one moment, and perhaps the moments, as they come from every reducer. */
export class Gathering {
  readonly complete: Promise<OptimizerState>
  readonly #inboxes: StateInbox[]
  readonly #state: OptimizerState
  #resolve: (state: OptimizerState) => void = () => undefined
  /** Makes whoever waits for them fail. */
  fail: (error: Error) => void = () => undefined

  /** @param ranges of the reducers, in the vector's order */
  constructor(ranges: readonly Range[], moments: boolean) {
    const size = ranges[ranges.length - 1].end
    this.#state = { parameters: new Float32Array(size), m: new Float32Array(moments ? size : 0), v: new Float32Array(moments ? size : 0) }
    this.#inboxes = ranges.map((range) => new StateInbox(this.#state, range, 0, moments))
    this.complete = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.fail = reject
    })
    this.complete.catch(() => undefined)
  }

  /**
   * Takes a chunk of the reducer of this index.
   * @returns whether all is in
   * @throws ProtocolError when it does not follow the chunk before it.
   */
  receive(index: number, chunk: StateChunk): boolean {
    this.#inboxes[index].receive(chunk)
    const complete = this.#inboxes.every((inbox) => inbox.complete)
    if (complete) this.#resolve(this.#state)
    return complete
  }
}
