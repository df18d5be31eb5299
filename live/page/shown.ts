import type { RunView } from '../view.ts'
import { h, type Child } from './dom.ts'

/** What there is to show. */
export interface Shown {
  runs: RunView[]
  /** Runs that go on, rather than folders of earlier ones. */
  live: boolean
  /** Index of the run whose details are shown, and that run. */
  selected: number
  view: RunView
}

/** A part of the page. It changes only what is not what it was. */
export interface Section {
  readonly element: HTMLElement
  update(shown: Shown): void
}

/** A section with a heading that names it. */
export function card(id: string, title: string, ...children: Child[]): HTMLElement {
  return h('section', { class: `card card-${id}`, 'aria-labelledby': `${id}-heading` }, h('h2', { id: `${id}-heading` }, title), ...children)
}

/** Something wide, which is scrolled in itself, by keyboard too, so that the page need not be. */
export function scrollable(label: string, ...children: Child[]): HTMLElement {
  return h('div', { class: 'scrollable', role: 'region', 'aria-label': label, tabindex: 0 }, ...children)
}
