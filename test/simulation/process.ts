import type { Cancel, VirtualClock } from './clock.ts'

/**
 * A process as the others see it: it can die, which ends all that it would have done, and it can be stopped for a while
 * (as by SIGSTOP), in which nothing happens in it; what came meanwhile it finds, in order, when it goes on.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: VirtualClock
  #alive = true
  /** What waits for the process to go on; undefined while it runs. */
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

  /** Lets the process do something: now, or when it goes on, or never. */
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

  /** As setInterval: what was due while the process was stopped happens once. */
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

  /** Settles after a while, if the process lives to see it. */
  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(milliseconds, resolve))
  }

  hang(): void {
    if (this.#alive) this.#waiting ??= []
  }

  goOn(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    // Each as an event of its own, so that the promises of one have settled before the next.
    for (const action of waiting) this.clock.after(0, () => this.run(action))
  }

  kill(): void {
    this.#alive = false
  }
}
