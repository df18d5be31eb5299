import { deferred } from '../kit/async.ts'
import { ProtocolError } from '../kit/errors.ts'
import type { CoordinatorMessage, ReducerMessage, WorkerMessage } from './messages.ts'

/** Messages that a coordinator sends to members of every kind. */
type Common = Extract<CoordinatorMessage, { message: 'refused' | 'stop' | 'clockProbe' }>

/**
 * The end of a membership. `finished`: the run has finished. `asked`: the member was asked to leave. `stopped`: the coordinator has ended in an
 * orderly way, and its run is not finished. `lost`: the link broke.
 */
export type MembershipEnd = { how: 'finished' } | { how: 'asked' } | { how: 'stopped' | 'lost'; reason: string }

export interface ParticipationParts {
  kind: 'worker' | 'reducer'
  link: {
    readonly lost: Promise<string>
    send(message: Extract<WorkerMessage & ReducerMessage, { message: 'clockReading' }>): void
    close(): void | Promise<void>
  }
  /**
   * Calls an action periodically.
   * @returns a function that ends the calls
   */
  every: (milliseconds: number, action: () => void) => () => void
  /** Clock in seconds that all processes of the machine share (`machineSeconds`). */
  now: () => number
}

const HEARTBEAT_MS = 1000

/** The member's side of one membership, as far as workers and reducers have it in common. */
export class Participation {
  readonly #parts: ParticipationParts
  readonly #failure = deferred<never>()
  #stopped: MembershipEnd | undefined
  #asked = false

  constructor(parts: ParticipationParts) {
    this.#parts = parts
    this.#failure.promise.catch(() => undefined)
  }

  /** Ends the membership with an error, since the member cannot go on. */
  readonly fail = (error: unknown): void => this.#failure.reject(error)

  /** Notes that the member has been asked to leave: unless the run finishes, that is how the membership ends. */
  ask(): void {
    this.#asked = true
  }

  /** Acts on a message that members of every kind get. */
  take(message: Common): void {
    const { kind, link, now } = this.#parts
    switch (message.message) {
      case 'refused':
        return this.fail(new ProtocolError(`the coordinator refuses this ${kind}: ${message.refused.reason}`))
      case 'clockProbe':
        return link.send({ message: 'clockReading', clockReading: { sent: message.clockProbe.sent, clock: now() } })
      case 'stop':
        this.#stopped = message.stop.finished ? { how: 'finished' } : { how: 'stopped', reason: `the coordinator stops: ${message.stop.reason}` }
        if (this.#asked) void link.close()
    }
  }

  /**
   * Takes part until the run ends, the link is lost, or the member cannot go on.
   * @param beat called every second
   * @throws the error given to `fail`, unless the end of the membership was intended anyway
   */
  async untilEnd(beat: () => void): Promise<MembershipEnd> {
    const endHeartbeat = this.#parts.every(HEARTBEAT_MS, beat)
    try {
      const reason = await Promise.race([this.#parts.link.lost, this.#failure.promise])
      return this.#wanted ?? { how: 'lost', reason }
    } catch (error) {
      if (this.#wanted !== undefined) return this.#wanted
      throw error
    } finally {
      endHeartbeat()
    }
  }

  get #wanted(): MembershipEnd | undefined {
    return this.#asked && this.#stopped?.how !== 'finished' ? { how: 'asked' } : this.#stopped
  }
}
