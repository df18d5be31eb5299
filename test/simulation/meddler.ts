import type { KeyedRandom } from '../../shared/random/philox.ts'
import type { GradientChunk, WeightsChunk } from '../../shared/wire/messages.ts'
import type { Count } from './statistics.ts'
import type { Arrival, Ending } from './stream.ts'
import type { Trace } from './trace.ts'

export const meddlings = ['duplicated', 'late', 'lost', 'replayed'] as const
export type Meddling = (typeof meddlings)[number]

export interface MeddlerParts {
  random: KeyedRandom
  /** Share of messages that are meddled with, 0 to 1. */
  rate: number
  /** Kinds of meddling to choose from. */
  kinds: readonly Meddling[]
  /** Offsets, in floats, of the last chunk of each range of a vector. */
  lastOffsets: readonly number[]
  trace: Trace
  count: Count
}

/** Types of messages that may be lost. The loss of any other message shows in no later one: its answer would be awaited for ever. */
const dispensable: ReadonlySet<string> = new Set(['hello', 'welcome', 'heartbeat', 'computed', 'abandoned', 'release', 'abandon'])
/** Number of messages of each stream that are kept to be replayed. */
const MEMORY = 30

/**
 * Meddles with messages where they are handed over, as no network does within one connection: a message comes twice, is
 * overtaken by later ones, is lost, or is preceded by an old one. Herd's checks must then end the session.
 */
export class Meddler {
  readonly #parts: MeddlerParts
  #active = true
  /** Last messages by worker and stream, over all of the worker's connections: messages of an older session are among them. */
  readonly #seen = new Map<string, unknown[]>()

  constructor(parts: MeddlerParts) {
    this.#parts = parts
  }

  stop(): void {
    this.#active = false
  }

  /** Meddles with a message of a member's control stream, in one direction. */
  control<T extends { message: string }>(stream: string, message: T | Ending): Arrival<T | Ending>[] {
    return message.message === 'end' || message.message === 'aborted' ? untouched(message) : this.#meddle(stream, message, message.message, dispensable.has(message.message))
  }

  weights(worker: string, chunk: WeightsChunk): Arrival<WeightsChunk>[] {
    return this.#meddle(`${worker} weights`, chunk, `weights ${chunk.version} at ${chunk.offset}`, !this.#isLast(chunk))
  }

  gradients(worker: string, chunk: GradientChunk): Arrival<GradientChunk>[] {
    return this.#meddle(`${worker} gradients`, chunk, `gradient of round ${chunk.round} node ${chunk.node} at ${chunk.offset}`, !this.#isLast(chunk))
  }

  #isLast({ offset }: { offset: number }): boolean {
    return this.#parts.lastOffsets.includes(offset)
  }

  #meddle<T>(stream: string, message: T, what: string, mayBeLost: boolean): Arrival<T>[] {
    const { random, rate, kinds, trace, count } = this.#parts
    if (rate === 0) return untouched(message)
    const seen = (this.#seen.get(stream) ?? []) as T[]
    this.#seen.set(stream, seen)
    seen.push(message)
    if (seen.length > MEMORY) seen.shift()
    if (!this.#active || random.uniform() >= rate) return untouched(message)
    const how = random.pick(kinds)
    if (how === 'lost' && !mayBeLost) return untouched(message)
    trace.add('meddler', `${how}: ${stream}: ${what}`)
    count(`message ${how}`)
    switch (how) {
      case 'duplicated':
        return [{ message, afterMs: 0 }, { message, afterMs: random.pick([0, random.between(1, 3000)]) }]
      case 'late':
        return [{ message, afterMs: random.between(1, 3000) }]
      case 'lost':
        return []
      case 'replayed':
        return [{ message: random.pick(seen), afterMs: 0 }, { message, afterMs: 0 }]
    }
  }
}

function untouched<T>(message: T): Arrival<T>[] {
  return [{ message, afterMs: 0 }]
}
