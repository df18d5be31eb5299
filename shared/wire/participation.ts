import { deferred } from '../kit/async.ts'
import { ProtocolError } from '../kit/errors.ts'
import type { CoordinatorMessage, ReducerMessage, WorkerMessage } from './messages.ts'

/** What a coordinator says to every member alike. */
type Common = Extract<CoordinatorMessage, { message: 'refused' | 'stop' | 'clockProbe' }>

/** How a membership ended. `stopped`: the coordinator has ended in order, and its run is not finished. `asked`: the member was to leave. */
export type MembershipEnd = { how: 'finished' } | { how: 'asked' } | { how: 'stopped' | 'lost'; reason: string }

export interface ParticipationParts {
  kind: 'worker' | 'reducer'
  link: {
    readonly lost: Promise<string>
    send(message: Extract<WorkerMessage & ReducerMessage, { message: 'clockReading' }>): void
    close(): void | Promise<void>
  }
  /** Calls an action again and again. @returns what ends that */
  every: (milliseconds: number, action: () => void) => () => void
  /** Seconds on the machine's clock, `machineSeconds`. */
  now: () => number
}

const HEARTBEAT_MS = 1000

/** A member's side of one membership: what is the same for workers and reducers. */
export class Participation {
  readonly #parts: ParticipationParts
  readonly #failure = deferred<never>()
  #stopped: MembershipEnd | undefined
  #asked = false

  constructor(parts: ParticipationParts) {
    this.#parts = parts
    this.#failure.promise.catch(() => undefined)
  }

  /** The member cannot go on. */
  readonly fail = (error: unknown): void => this.#failure.reject(error)

  /** The member is to leave: however the membership ends, that is why. */
  ask(): void {
    this.#asked = true
  }

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
   * @param beat is called every second
   * @throws what made the member fail, unless that only follows from an end that was wanted
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
