import { messageOf, ProtocolError } from '../../shared/kit/errors.ts'
import { PROTOCOL_VERSION } from '../../shared/wire/messages.ts'
import { countedMs } from '../dealing/deadlines.ts'

/** The coordinator's end of a control stream, whatever carries it. */
export interface ControlOutlet<Down> {
  /** HOST:PORT where the member's messages come from. */
  readonly peer: string
  send(message: Down): void
  /** Closes the stream in order; what was sent before still arrives. */
  close(): void
  /** Ends the stream with an error that tells the reason: the member may try again. */
  fail(why: Failure, reason: string): void
}

/** Why a stream ends with an error: the member broke the protocol or was lost; it came too early; there is no room for it. */
export type Failure = 'cut' | 'early' | 'full'

/** Why a member that said hello gets no place: refused for good, or it may try again later. */
export interface Denial {
  how: 'refused' | 'early' | 'full'
  reason: string
}

export interface ControlLimits {
  /** Milliseconds until hello. */
  helloMs: number
  /** Milliseconds that a member may be silent after hello. */
  silenceMs: number
  /** Whether silence counts after ready, too; false where somebody else watches members from then on. */
  watchMembers: boolean
}

interface Refused {
  message: 'refused'
  refused: { reason: string }
}

/**
 * The coordinator's side of one membership, from hello to its end, the same for workers and reducers: it takes and gives messages,
 * and knows neither how they travel nor what time it is. Whatever breaks the protocol ends this membership, and nothing else.
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

  /** Nothing more is taken or given. */
  get over(): boolean {
    return this.#phase === 'over'
  }

  /** Takes a message that has the form of the protocol. */
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

  /** The member has closed its side of the stream. */
  onClosed(): void {
    if (!this.over) this.outlet.close()
    this.#finish(`the ${this.#kind} closed the connection`)
  }

  /** The stream is broken. */
  onBroken(): void {
    this.#finish('the connection was lost')
  }

  /** Passes the time on. @param gapMs milliseconds since the last call */
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

  /** Ends the stream with a reason that the member is told. */
  cut(reason: string): void {
    if (this.#finish(reason)) this.outlet.fail('cut', reason)
  }

  /** Ends the membership in order: nobody is lost. @param lastWord for a member that has been greeted */
  end(lastWord: Down): void {
    if (this.over) return
    const greeted = this.#phase !== 'new'
    if (greeted) this.outlet.send(lastWord)
    this.outlet.close()
    this.#phase = 'over'
    if (greeted) this.release()
  }

  /** Carries out what a message says; before hello comes nothing else, and hello and ready come once. @throws ProtocolError */
  protected abstract take(message: Up): void

  /** The membership has ended, and nobody here wanted that. */
  protected abstract lose(reason: string): void

  /** The membership has ended: what was kept for it is let go of. */
  protected abstract release(): void

  /** Answers hello. @param join gives the member a place, and says so to it @returns why it gets none */
  protected greet({ protocolVersion }: { protocolVersion: number }, join: () => Denial | undefined): void {
    if (protocolVersion !== PROTOCOL_VERSION) {
      return this.refuse(`this coordinator speaks protocol version ${PROTOCOL_VERSION}, the ${this.#kind} ${protocolVersion}: install the same version of Herd on both.`)
    }
    const denial = join()
    if (denial === undefined) this.#phase = 'greeted'
    else if (denial.how === 'refused') this.refuse(denial.reason)
    else {
      this.#phase = 'over'
      this.outlet.fail(denial.how, denial.reason)
    }
  }

  /** Ends the membership for good: trying again would be in vain. */
  protected refuse(reason: string): void {
    this.outlet.send({ message: 'refused', refused: { reason } })
    this.outlet.close()
    this.#finish(reason)
  }

  /** The member leaves in order. */
  protected leave(reason: string): void {
    this.outlet.close()
    this.#finish(reason)
  }

  #requireTurn(message: string): void {
    if (message === 'hello' && this.#phase !== 'new') throw new ProtocolError('hello came twice')
    if (message !== 'hello' && this.#phase === 'new') throw new ProtocolError(`${message} came before hello`)
    if (message === 'ready' && this.#phase === 'ready') throw new ProtocolError('ready came twice')
  }

  /** @returns false when it was over before */
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
