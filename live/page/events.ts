import type { EventView } from '../view.ts'
import { h, KeyedList, setText, whenChanged } from './dom.ts'
import { dateAndTime, timeOfDay } from './format.ts'
import { card, type Section, type Shown } from './shown.ts'

/** The events of the run, the newest first. */
export function eventsSection(): Section {
  const list = h('ol', { class: 'events', reversed: true })
  const empty = h('p', { class: 'empty' }, 'Nothing has happened yet.')
  const element = card('events', 'Events', h('div', { class: 'event-scroll', role: 'region', 'aria-label': 'List of events, newest first', tabindex: 0 }, list), empty)
  // An event never changes; its place in the list does, and two may look the same.
  const numbers = new WeakMap<EventView, number>()
  let next = 0
  const keyOf = (event: EventView): string => {
    const number = numbers.get(event) ?? next++
    numbers.set(event, number)
    return String(number)
  }
  const rows = new KeyedList<EventView>(list, keyOf, (event) => ({ element: eventRow(event), update: () => undefined }))
  const show = whenChanged((events: EventView[]) => {
    empty.hidden = events.length > 0
    rows.update(events.toReversed())
  })
  return { element, update: ({ view }: Shown) => show(view.events) }
}

function eventRow({ time, kind, level, text }: EventView): HTMLElement {
  const clock = h('time', { datetime: time, title: dateAndTime(time) })
  setText(clock, timeOfDay(time))
  const warning = level === 'warning' ? [h('span', { class: 'warning' }, 'Warning')] : []
  return h('li', { class: `event event-${level}`, 'data-kind': kind }, clock, h('span', { class: 'text' }, ...warning, text))
}
