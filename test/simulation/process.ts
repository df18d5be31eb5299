import type { Cancel, VirtualClock } from './clock.ts'

/**
 * A process as others see it. It can die, after which it does nothing any more, and it can be stopped for a while (as by
 * SIGSTOP), in which it does nothing; actions that were due meanwhile happen, in order, when it goes on.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: VirtualClock
  #alive = true
  /** Actions that wait until the process goes on; undefined while it runs. */
  #waiting: (() => void)[] | undefined

  constructor(name: string, clock: VirtualClock) {
    this.name = name
    this.clock = clock
  }

  get alive(): boolean {
    return this.#alive
  }

  get hung(): boolean {
    return this.#alive && this.#waiting !== undefined
  }

  /** Lets the process do something: now; when it goes on, if it is stopped; never, if it is dead. */
  run(action: () => void): void {
    if (!this.#alive) return
    if (this.#waiting === undefined) action()
    else this.#waiting.push(action)
  }

  after(milliseconds: number, action: () => void): Cancel {
    let cancelled = false
    this.clock.after(milliseconds, () => this.run(() => (cancelled ? undefined : action())))
    return () => (cancelled = true)
  }

  /** Repeats an action, like setInterval: if it was due several times while the process was stopped, it happens once. */
  every(milliseconds: number, action: () => void): Cancel {
    let cancel: Cancel = () => undefined
    const arm = (): void => {
      cancel = this.after(milliseconds, () => {
        arm()
        action()
      })
    }
    arm()
    return () => cancel()
  }

  /** Resolves after a while, if the process is still alive then. */
  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve))
  }

  hang(): void {
    if (this.#alive) this.#waiting ??= []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    // Each action is an event of its own, so that the promises of one have settled before the next.
    for (const action of waiting) this.clock.after(0, () => this.run(action))
  }

  kill(): void {
    this.#alive = false
  }
}
