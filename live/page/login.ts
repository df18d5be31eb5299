import { byId, h, setText } from './dom.ts'
import { logIn } from './api.ts'

/** Asks for the token; calls back once the server has taken it. */
export class Login {
  readonly element: HTMLElement
  readonly #token = h('input', { type: 'password', id: 'token', name: 'token', autocomplete: 'current-password', required: true, 'aria-describedby': 'token-hint token-error' })
  readonly #error = h('p', { class: 'error', id: 'token-error', role: 'alert' })
  readonly #button = h('button', { type: 'submit' }, 'Log in')
  readonly #onDone: () => void

  /** @param hint which token is asked for */
  constructor(hint: string, onDone: () => void) {
    this.#onDone = onDone
    const form = h('form', {}, h('label', { for: 'token' }, 'Token'), this.#token, this.#button)
    const explained = h('p', { class: 'note', id: 'token-hint' }, hint)
    this.element = h('section', { class: 'card login', 'aria-labelledby': 'login-heading', hidden: true }, h('h1', { id: 'login-heading' }, 'Log in'), explained, form, this.#error)
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#submit()
    })
  }

  show(): void {
    if (!this.element.hidden) return
    this.element.hidden = false
    this.#token.focus()
  }

  async #submit(): Promise<void> {
    this.#button.disabled = true
    setText(this.#error, '')
    try {
      await logIn(this.#token.value)
      this.#token.value = ''
      this.element.hidden = true
      byId('main').focus()
      this.#onDone()
    } catch (reason) {
      setText(this.#error, reason instanceof Error ? reason.message : String(reason))
      this.#token.select()
    } finally {
      this.#button.disabled = false
    }
  }
}
