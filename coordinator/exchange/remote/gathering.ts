import { deferred } from '../../../shared/kit/async.ts'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import { freshState, type Optimizer, type OptimizerState } from '../../../shared/optim/optimizer.ts'
import type { StateChunk } from '../../../shared/wire/messages.ts'
import type { Range } from '../../../shared/vectors/chunks.ts'
import { StateInbox } from './state_chunks.ts'

/** The weights of one moment, and perhaps the moments, as they come from every reducer. */
class Gathering {
  readonly #complete = deferred<OptimizerState>()
  readonly #inboxes: StateInbox[]
  readonly #state: OptimizerState

  /**
   * @param ranges of the reducers, in the vector's order
   * @param moments those that are gathered with the weights
   */
  constructor(ranges: readonly Range[], moments: Optimizer['moments']) {
    const size = ranges[ranges.length - 1].end
    this.#state = freshState({ moments }, size)
    this.#inboxes = ranges.map((range) => new StateInbox(this.#state, range, 0))
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
  readonly #moments: Optimizer['moments']
  readonly #open = new Map<number, Gathering>()
  #asked = 0

  /** @param ranges of the reducers, in the vector's order */
  constructor(ranges: readonly Range[], { moments }: Pick<Optimizer, 'moments'>) {
    this.#ranges = ranges
    this.#moments = moments
  }

  /** @returns its number, for the reducers to answer with */
  begin(moments: boolean): { id: number; complete: Promise<OptimizerState> } {
    const id = ++this.#asked
    const gathering = new Gathering(this.#ranges, moments ? this.#moments : [])
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
