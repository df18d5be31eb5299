import { deferred } from '../../../shared/kit/async.ts'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import { freshState, type Optimizer, type OptimizerState } from '../../../shared/optim/optimizer.ts'
import type { StateChunk } from '../../../shared/wire/messages.ts'
import type { Range } from '../../../shared/vectors/chunks.ts'
import { StateInbox } from '../../../shared/wire/state_chunks.ts'

/** A snapshot of the weights, and perhaps of the optimizer's moments, that is being collected from all reducers. */
class Gathering {
  readonly #complete = deferred<OptimizerState>()
  readonly #inboxes: StateInbox[]
  readonly #state: OptimizerState

  /**
   * @param ranges ranges of the reducers, in the vector's order
   * @param moments names of the moments to collect with the weights
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

  /** Rejects the promise of the snapshot. */
  fail(error: Error): void {
    this.#complete.reject(error)
  }

  /**
   * Takes a chunk from the reducer with this index.
   * @returns true if the snapshot is complete
   * @throws ProtocolError if the chunk does not follow the one before it
   */
  receive(index: number, chunk: StateChunk): boolean {
    this.#inboxes[index].receive(chunk)
    const complete = this.#inboxes.every((inbox) => inbox.complete)
    if (complete) this.#complete.resolve(this.#state)
    return complete
  }
}

/** The snapshots that have been requested and are not complete yet. */
export class Gatherings {
  readonly #ranges: readonly Range[]
  readonly #moments: Optimizer['moments']
  readonly #open = new Map<number, Gathering>()
  #asked = 0

  /** @param ranges ranges of the reducers, in the vector's order */
  constructor(ranges: readonly Range[], { moments }: Pick<Optimizer, 'moments'>) {
    this.#ranges = ranges
    this.#moments = moments
  }

  /** Begins a snapshot. @param moments true to collect the moments too @returns the number with which reducers answer, and the snapshot */
  begin(moments: boolean): { id: number; complete: Promise<OptimizerState> } {
    const id = ++this.#asked
    const gathering = new Gathering(this.#ranges, moments ? this.#moments : [])
    this.#open.set(id, gathering)
    return { id, complete: gathering.complete }
  }

  /** Takes a chunk from the reducer with this index. @throws ProtocolError if it was not requested, or does not follow the one before it */
  receive(index: number, chunk: StateChunk): void {
    const gathering = this.#open.get(chunk.id)
    if (gathering === undefined) throw new ProtocolError(`state ${chunk.id} was not asked for`)
    if (gathering.receive(index, chunk)) this.#open.delete(chunk.id)
  }

  /** Rejects the promises of all open snapshots. */
  fail(error: Error): void {
    for (const gathering of this.#open.values()) gathering.fail(error)
    this.#open.clear()
  }
}
