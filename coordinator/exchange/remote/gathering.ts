import { deferred } from '../../../shared/kit/async.ts'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import type { OptimizerState } from '../../../shared/optim/adam.ts'
import type { StateChunk } from '../../../shared/wire/messages.ts'
import type { Range } from '../step_reduce.ts'
import { StateInbox } from './state_chunks.ts'

/** The weights of one moment, and perhaps the moments, as they come from every reducer. */
class Gathering {
  readonly #complete = deferred<OptimizerState>()
  readonly #inboxes: StateInbox[]
  readonly #state: OptimizerState

  /** @param ranges of the reducers, in the vector's order */
  constructor(ranges: readonly Range[], moments: boolean) {
    const size = ranges[ranges.length - 1].end
    this.#state = { parameters: new Float32Array(size), m: new Float32Array(moments ? size : 0), v: new Float32Array(moments ? size : 0) }
    this.#inboxes = ranges.map((range) => new StateInbox(this.#state, range, 0, moments))
    this.complete.catch(() => undefined)
  }

  get complete(): Promise<OptimizerState> {
    return this.#complete.promise
  }

  /** Makes whoever waits for them fail. */
  fail(error: Error): void {
    this.#complete.reject(error)
  }

  /**
   * Takes a chunk of the reducer of this index.
   * @returns whether all is in
   * @throws ProtocolError when it does not follow the chunk before it.
   */
  receive(index: number, chunk: StateChunk): boolean {
    this.#inboxes[index].receive(chunk)
    const complete = this.#inboxes.every((inbox) => inbox.complete)
    if (complete) this.#complete.resolve(this.#state)
    return complete
  }
}

/** Those that were asked for, and have not all come. */
export class Gatherings {
  readonly #ranges: readonly Range[]
  readonly #open = new Map<number, Gathering>()
  #asked = 0

  /** @param ranges of the reducers, in the vector's order */
  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges
  }

  /** @returns its number, for the reducers to answer with */
  begin(moments: boolean): { id: number; complete: Promise<OptimizerState> } {
    const id = ++this.#asked
    const gathering = new Gathering(this.#ranges, moments)
    this.#open.set(id, gathering)
    return { id, complete: gathering.complete }
  }

  /** Takes a chunk of the reducer of this index. @throws ProtocolError when it was not asked for, or does not follow the chunk before it. */
  receive(index: number, chunk: StateChunk): void {
    const gathering = this.#open.get(chunk.id)
    if (gathering === undefined) throw new ProtocolError(`state ${chunk.id} was not asked for`)
    if (gathering.receive(index, chunk)) this.#open.delete(chunk.id)
  }

  /** Makes whoever waits for any of them fail. */
  fail(error: Error): void {
    for (const gathering of this.#open.values()) gathering.fail(error)
    this.#open.clear()
  }
}
