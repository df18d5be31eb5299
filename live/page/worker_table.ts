import type { MemberView } from '../view.ts'
import { h, KeyedList, setAttributes, setText, type Row } from './dom.ts'
import { bytes, duration, integer, NOTHING, ranges, speed, timeOfDay } from './format.ts'
import { scrollable } from './shown.ts'
import { seriesClass } from './theme.ts'
import type { WorkerColours } from './worker_colours.ts'
import type { WorkerWatch } from './worker_watch.ts'

interface TableRow {
  member: MemberView
  /** Index of its colour, from 0; the table shows it as a number from 1. */
  index: number
  imagesPerSecond: number | null
  /** Time since which it is gone; undefined while it is in the run. */
  gone: Date | undefined
}

const COLUMNS: { name: string; text(row: TableRow): string }[] = [
  { name: 'Images/s', text: ({ imagesPerSecond, gone }) => (gone === undefined ? speed(imagesPerSecond) : NOTHING) },
  { name: 'Lanes', text: ({ member }) => integer(member.lanes) },
  { name: 'Images', text: ({ member }) => integer(member.images) },
  { name: 'Lane time', text: ({ member }) => duration(member.laneSeconds) },
  { name: 'Memory', text: ({ member }) => bytes(member.residentBytes) },
  { name: 'Received', text: ({ member }) => bytes(member.receivedBytes) },
  { name: 'Sent', text: ({ member }) => bytes(member.sentBytes) },
  { name: 'In for', text: ({ member }) => duration(member.secondsIn) },
]

/** The table of workers, with those that are gone below. On a phone its rows are blocks; the ARIA roles keep it a table for screen readers. */
export class WorkerTable {
  readonly element: HTMLElement
  readonly #list: KeyedList<TableRow>
  readonly #nobody = h('p', { class: 'empty' })
  readonly #table: HTMLElement

  constructor() {
    const body = h('tbody', { role: 'rowgroup' })
    const head = h('tr', { role: 'row' }, columnHead('Worker', ''), columnHead('Does now', ''), ...COLUMNS.map(({ name }) => columnHead(name, 'number')))
    this.#table = scrollable('Table of the workers', h('table', { class: 'workers', role: 'table' }, h('thead', { role: 'rowgroup' }, head), body))
    this.#list = new KeyedList(body, ({ member, gone }) => `${member.name} ${gone?.getTime() ?? ''}`, ({ member }) => workerRow(member.name))
    this.element = h('div', {}, this.#table, this.#nobody)
  }

  /** Updates the table. @param nobody text that is shown if there are no members */
  update(members: readonly MemberView[], watch: WorkerWatch, colours: WorkerColours, nobody: string): void {
    const speeds = watch.speeds()
    const indexOf = ({ name }: MemberView): number => colours.indexOf(name)
    this.#list.update([
      ...members.map((member) => ({ member, index: indexOf(member), imagesPerSecond: speeds.get(member.name) ?? null, gone: undefined })),
      ...watch.gone.map(({ member, since }) => ({ member, index: indexOf(member), imagesPerSecond: null, gone: since })),
    ])
    this.#table.hidden = members.length + watch.gone.length === 0
    this.#nobody.hidden = members.length > 0
    setText(this.#nobody, nobody)
  }
}

function columnHead(name: string, kind: string): HTMLElement {
  return h('th', { scope: 'col', role: 'columnheader', class: kind }, name)
}

function workerRow(name: string): Row<TableRow> {
  const mark = h('span', { 'aria-hidden': 'true' })
  const engine = h('span', { class: 'note' })
  const now = h('td', { role: 'cell' })
  const cells = COLUMNS.map(({ name }) => h('td', { role: 'cell', class: 'number', 'data-name': name }))
  const element = h('tr', { role: 'row' }, h('th', { scope: 'row', role: 'rowheader' }, h('span', { class: 'worker-name' }, mark, name), engine), now, ...cells)
  return {
    element,
    update: (row) => {
      const { member, index, gone } = row
      setText(mark, String(index + 1))
      setAttributes(mark, { class: `worker-mark ${seriesClass(index)}` })
      setText(engine, `${member.engine}, ${member.device}`)
      setText(now, gone === undefined ? doesNow(member) : `gone since ${timeOfDay(gone)}`)
      setAttributes(now, { class: gone === undefined ? `now now-${member.state}` : 'now now-gone' })
      setAttributes(element, { class: gone === undefined ? '' : 'gone' })
      COLUMNS.forEach(({ text }, i) => setText(cells[i], text(row)))
    },
  }
}

/** Describes a worker's present work: "computing lanes 3, 4", "leaving, after lane 3", ... */
export function doesNow({ state, kind, owes }: Pick<MemberView, 'state' | 'kind' | 'owes'>): string {
  const units = `${kind === 'EVALUATE' ? 'block' : 'lane'}${owes.length === 1 ? '' : 's'} ${ranges(owes)}`
  const owing = owes.length > 0
  if (state === 'draining') return owing ? `leaving, after ${units}` : 'leaving'
  if (!owing) return state === 'idle' ? 'idle' : 'computing'
  return kind === 'EVALUATE' ? `evaluating ${units}` : `computing ${units}`
}
