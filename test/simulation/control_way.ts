import { HerdError, messageOf } from '../../shared/kit/errors.ts'
import type { ControlOutlet, MemberControl } from '../../coordinator/protocol/control.ts'
import type { Wires } from './wires.ts'
import type { SimulatedProcess } from './process.ts'
import { Stream, type Arrival, type Ending } from './stream.ts'

export interface ControlWayParts<Up, Down> {
  network: Wires
  /** The member's process. */
  client: SimulatedProcess
  onMessage: (message: Down) => void
  describeUp: (message: Up | Ending) => string | undefined
  describeDown: (message: Down | Ending) => string
  meddleUp: (message: Up | Ending) => Arrival<Up | Ending>[]
  meddleDown: (message: Down | Ending) => Arrival<Down | Ending>[]
}

interface Accepted<Up, Down> {
  process: SimulatedProcess
  control: Pick<MemberControl<Up & { message: string }, Down>, 'receive' | 'onClosed' | 'onBroken'>
  up: Stream<Up | Ending>
  down: Stream<Down | Ending>
}

/** Time that a real member waits for the first message of a coordinator. */
const WELCOME_MS = 10_000
/** Time that a real member waits for the other end when it closes. */
const CLOSE_PATIENCE_MS = 500

/** Both ends of a member's control stream, whose coordinator's end is the real one of coordinator/protocol/control.ts. */
export class ControlWay<Up extends { message: string }, Down extends { message: string }> {
  readonly lost: Promise<string>
  readonly #parts: ControlWayParts<Up, Down>
  #accepted: Accepted<Up, Down> | undefined
  /** Messages sent before the coordinator accepted. */
  #early: (Up | Ending)[] = []
  #over = false
  #endSeen: () => void = () => undefined
  #lose: (reason: string) => void = () => undefined
  #accuse: (error: HerdError) => void = () => undefined
  #endGreeting: () => void = () => undefined

  constructor(parts: ControlWayParts<Up, Down>) {
    this.#parts = parts
    const { network, client } = parts
    this.lost = new Promise((resolve, reject) => {
      const once = (reason: string, settle: () => void): void => {
        if (this.#over) return
        this.#over = true
        this.#endGreeting()
        network.trace.add(client.name, `connection over: ${reason}`)
        settle()
      }
      this.#lose = (reason) => once(reason, () => resolve(reason))
      this.#accuse = (error) => once(messageOf(error), () => reject(error))
    })
    this.lost.catch(() => undefined)
    this.#endGreeting = client.after(WELCOME_MS, () => this.#lose('the coordinator does not answer'))
  }

  get over(): boolean {
    return this.#over
  }

  get server(): SimulatedProcess | undefined {
    return this.#accepted?.process
  }

  lose(reason: string): void {
    this.#lose(reason)
  }

  send(message: Up): void {
    if (!this.#over) this.#sendUp(message)
  }

  /** Closes the member's end in order. */
  async close(reason: string): Promise<void> {
    const { client, network } = this.#parts
    this.#lose(reason)
    const ended = new Promise<void>((resolve) => (this.#endSeen = resolve))
    this.#sendUp({ message: 'end' })
    await Promise.race([ended, client.sleep(CLOSE_PATIENCE_MS)])
    this.break()
    this.tellServer(network.latency())
  }

  /** Accepts the connection in the coordinator's process. @param open makes the coordinator's end */
  accept(process: SimulatedProcess, latency: () => number, open: (outlet: ControlOutlet<Down>) => Accepted<Up, Down>['control']): void {
    const { network, client, describeUp, describeDown, meddleUp, meddleDown } = this.#parts
    const common = { clock: network.clock, latency, trace: (what: string) => network.trace.add(client.name, what), copy: <T>(message: T): T => message }
    const down = new Stream<Down | Ending>({ ...common, sender: process, receiver: client, receive: (message) => this.#receive(message), describe: describeDown, meddle: meddleDown })
    const control = open({
      peer: client.name,
      send: (message) => down.send(message),
      close: () => down.send({ message: 'end' }),
      fail: (_, reason) => down.send({ message: 'aborted', reason }),
    })
    const receive = (message: Up | Ending): void => {
      if (isEnding(message)) control.onClosed()
      else control.receive(message)
    }
    this.#accepted = { process, control, down, up: new Stream<Up | Ending>({ ...common, sender: client, receiver: process, receive, describe: describeUp, meddle: meddleUp }) }
    for (const message of this.#early) this.#accepted.up.send(message)
    this.#early = []
  }

  stall(): void {
    this.#accepted?.up.stall()
    this.#accepted?.down.stall()
  }

  flow(): void {
    this.#accepted?.up.flow()
    this.#accepted?.down.flow()
  }

  break(): void {
    this.#accepted?.up.break()
    this.#accepted?.down.break()
  }

  tellClient(afterMs: number): void {
    this.#parts.client.after(afterMs, () => this.#lose('the coordinator cannot be reached'))
  }

  tellServer(afterMs: number): void {
    const accepted = this.#accepted
    accepted?.process.after(afterMs, () => accepted.control.onBroken())
  }

  /** Takes a message. A HerdError ends the connection, and fails the member; any other error is a defect, and is reported. */
  checked(take: () => void): void {
    try {
      take()
    } catch (error) {
      if (error instanceof HerdError) return this.#accuse(error)
      this.#parts.network.violated(`${this.#parts.client.name} failed at a message: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }

  #sendUp(message: Up | Ending): void {
    if (this.#accepted === undefined) this.#early.push(message)
    else this.#accepted.up.send(message)
  }

  #receive(message: Down | Ending): void {
    this.#endGreeting()
    if (isEnding(message)) {
      this.#lose(message.message === 'end' ? 'the coordinator closed the connection' : message.reason)
      return this.#endSeen()
    }
    this.checked(() => this.#parts.onMessage(message))
  }
}

function isEnding(message: { message: string }): message is Ending {
  return message.message === 'end' || message.message === 'aborted'
}
