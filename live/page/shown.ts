import type { RunView } from '../view.ts'
import { h, type Child } from './dom.ts'

/** The runs that the page shows. */
export interface Shown {
  runs: RunView[]
  /** True for runs in progress, false for folders of saved ones. */
  live: boolean
  /** Index of the run whose details are shown. */
  selected: number
  /** The run whose details are shown. */
  view: RunView
}

/** A part of the page. Its update touches only what has changed. */
export interface Section {
  readonly element: HTMLElement
  update(shown: Shown): void
}

/** A section with a heading that names it. */
export function card(id: string, title: string, ...children: Child[]): HTMLElement {
  return h('section', { class: `card card-${id}`, 'aria-labelledby': `${id}-heading` }, h('h2', { id: `${id}-heading` }, title), ...children)
}

/** A box for wide content, which scrolls by itself, also by keyboard, so that the page need not. */
export function scrollable(label: string, ...children: Child[]): HTMLElement {
  return h('div', { class: 'scrollable', role: 'region', 'aria-label': label, tabindex: 0 }, ...children)
}
