import { messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import { PROTOCOL_VERSION } from '../../shared/wire/messages.ts'
import { countedMs } from '../dealing/deadlines.ts'

/** The coordinator's end of a control stream, whatever the transport. */
export interface ControlOutlet<Down> {
  /** HOST:PORT from which the member's messages come. */
  readonly peer: string
  send(message: Down): void
  /** Closes the stream in order; what was sent before still arrives. */
  close(): void
  /** Ends the stream with an error that states the reason; the member may try again. */
  fail(why: Failure, reason: string): void
}

/**
 * Reason why a stream ends with an error. `cut`: the member broke the protocol or was lost. `early`: it came too early. `full`: there is no room for it.
 * `version`: one of the two sides is not of the other's version yet.
 */
export type Failure = 'cut' | 'early' | 'full' | 'version'

/** Reason why a member that said hello is not admitted: `refused` is for good, after the others it may try again. */
export interface Denial {
  how: 'refused' | 'early' | 'full'
  reason: string
}

export interface ControlLimits {
  /** Milliseconds within which hello must come. */
  helloMs: number
  /** Longest silence of a member after hello, in milliseconds. */
  silenceMs: number
  /** True if silence counts after ready too; false if another component watches members from then on. */
  watchMembers: boolean
}

interface Refused {
  message: 'refused'
  refused: { reason: string }
}

/**
 * The coordinator's side of one membership, from hello to its end, the same for workers and reducers. It has neither a transport nor a clock
 * of its own: messages and the passing of time come as calls. A breach of the protocol ends this membership and nothing else.
 */
export abstract class MemberControl<Up extends { message: string }, Down> {
  protected readonly outlet: ControlOutlet<Down | Refused>
  readonly #kind: 'worker' | 'reducer'
  readonly #limits: ControlLimits
  #phase: 'new' | 'greeted' | 'ready' | 'over' = 'new'
  #silentMs = 0

  constructor(kind: 'worker' | 'reducer', outlet: ControlOutlet<Down | Refused>, limits: ControlLimits) {
    this.#kind = kind
    this.outlet = outlet
    this.#limits = limits
  }

  /** True once the membership has ended: messages are then neither taken nor sent. */
  get over(): boolean {
    return this.#phase === 'over'
  }

  /** Handles a message that has passed the schema. An error in handling it ends the membership. */
  receive(message: Up): void {
    if (this.over) return
    try {
      this.#requireTurn(message.message)
      this.#silentMs = 0
      if (message.message === 'ready') this.#phase = 'ready'
      this.take(message)
    } catch (error) {
      this.cut(messageOf(error))
    }
  }

  /** Ends the membership of a member that has closed its side of the stream. */
  onClosed(): void {
    if (!this.over) this.outlet.close()
    this.#finish(`the ${this.#kind} closed the connection`)
  }

  /** Ends the membership of a member whose stream has broken. */
  onBroken(): void {
    this.#finish('the connection was lost')
  }

  /** Advances the time, and cuts off a member that has been silent for too long. @param gapMs milliseconds since the last call */
  tick(gapMs: number): void {
    const { helloMs, silenceMs, watchMembers } = this.#limits
    if (this.over || (this.#phase === 'ready' && !watchMembers)) return
    this.#silentMs += countedMs(gapMs)
    const limitMs = this.#phase === 'new' ? helloMs : silenceMs
    if (this.#silentMs >= limitMs) this.cut(`${this.#phase === 'new' ? 'no hello came within' : 'nothing was heard of it for'} ${limitMs / 1000} s`)
  }

  send(message: Down): void {
    if (!this.over) this.outlet.send(message)
  }

  /** Ends the membership, and the stream with an error that tells the member the reason. */
  cut(reason: string): void {
    if (this.#finish(reason)) this.outlet.fail('cut', reason)
  }

  /** Ends the membership in order: the member does not count as lost. @param lastWord message to a member that has been greeted */
  end(lastWord: Down): void {
    if (this.over) return
    const greeted = this.#phase !== 'new'
    if (greeted) this.outlet.send(lastWord)
    this.outlet.close()
    this.#phase = 'over'
    if (greeted) this.release()
  }

  /**
   * Handles one message. The order is already checked: hello comes first, and hello and ready come once.
   * @throws ProtocolError if the message is not valid now
   */
  protected abstract take(message: Up): void

  /** Called before `release` if a membership ends in another way than by `end`. */
  protected abstract lose(reason: string): void

  /** Frees what was kept for the member, once the membership of a greeted member has ended. */
  protected abstract release(): void

  /** Answers hello. @param join admits the member and tells it so; returns the reason if it does not admit it */
  protected greet({ protocolVersion }: { protocolVersion: number }, join: () => Denial | undefined): void {
    if (protocolVersion !== PROTOCOL_VERSION) {
      // This is no refusal for good, since machines are brought to another version one after the other.
      return this.#turnAway('version', `this coordinator speaks protocol version ${PROTOCOL_VERSION}, the ${this.#kind} ${protocolVersion}: install the same version of Herd on both`)
    }
    const denial = join()
    if (denial === undefined) this.#phase = 'greeted'
    else if (denial.how === 'refused') this.refuse(denial.reason)
    else this.#turnAway(denial.how, denial.reason)
  }

  /** Ends the membership of a member that may try again. */
  #turnAway(why: Failure, reason: string): void {
    this.#phase = 'over'
    this.outlet.fail(why, reason)
  }

  /** Ends the membership for good: the member is told not to try again. */
  protected refuse(reason: string): void {
    this.outlet.send({ message: 'refused', refused: { reason } })
    this.outlet.close()
    this.#finish(reason)
  }

  /** Ends the membership of a member that leaves in order. */
  protected leave(reason: string): void {
    this.outlet.close()
    this.#finish(reason)
  }

  #requireTurn(message: string): void {
    if (message === 'hello' && this.#phase !== 'new') throw new ProtocolError('hello came twice')
    if (message !== 'hello' && this.#phase === 'new') throw new ProtocolError(`${message} came before hello`)
    if (message === 'ready' && this.#phase === 'ready') throw new ProtocolError('ready came twice')
  }

  /** @returns false if the membership had ended before */
  #finish(reason: string): boolean {
    if (this.over) return false
    const greeted = this.#phase !== 'new'
    this.#phase = 'over'
    if (greeted) {
      this.lose(reason)
      this.release()
    }
    return true
  }
}
