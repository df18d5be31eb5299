import type { RunState } from '../view.ts'
import type { ConnectionState } from './connection.ts'
import { h, setAttributes, setText } from './dom.ts'
import { timeOfDay } from './format.ts'

/** A sign that tells whether the page is up to date: connected, or disconnected since when. */
export class ConnectionSign {
  readonly element = h('div', { class: 'connection' })
  readonly #text = h('span')
  readonly #detail = h('span', { class: 'detail' })
  readonly #announce: (text: string) => void
  #state: ConnectionState = { state: 'connecting' }
  #ended = false
  #live = true

  constructor(announce: (text: string) => void) {
    this.#announce = announce
    this.element.append(h('span', { class: 'dot', 'aria-hidden': 'true' }), this.#text, this.#detail)
    // The text counts down to the next attempt.
    window.setInterval(() => this.#render(), 1000)
    this.#render()
  }

  /** Takes the state of the run: when it has ended, its coordinator ends too, and the lost connection is no reason to worry. */
  sawRun(state: RunState, live: boolean): void {
    const ended = state === 'finished' || state === 'stopped' || state === 'failed'
    if (ended === this.#ended && live === this.#live) return
    this.#ended = ended
    this.#live = live
    this.#render()
  }

  update(state: ConnectionState): void {
    const before = this.#state
    this.#state = state
    this.#render()
    if (state.state === before.state) return
    if (state.state === 'disconnected') this.#announce(`Disconnected since ${timeOfDay(state.since)}. What is shown is the last that was known. The page reconnects by itself.`)
    if (state.state === 'connected' && before.state === 'disconnected') this.#announce('Connected again.')
  }

  #render(): void {
    const { text, detail } = this.#said()
    setAttributes(this.element, { 'data-state': this.#state.state })
    setText(this.#text, text)
    setText(this.#detail, detail)
  }

  #said(): { text: string; detail: string } {
    const now = this.#state
    if (now.state === 'connecting') return { text: 'Connecting', detail: '' }
    if (now.state === 'connected') return { text: this.#live ? 'Live' : 'Saved runs', detail: '' }
    if (now.state === 'token needed') return { text: 'Token needed', detail: '' }
    const seconds = Math.max(0, Math.ceil((now.nextAttempt.getTime() - Date.now()) / 1000))
    const next = seconds === 0 ? 'trying again now' : `next attempt in ${seconds} s`
    return { text: `Disconnected since ${timeOfDay(now.since)}`, detail: this.#ended ? 'the run has ended, and its coordinator with it' : next }
  }
}
