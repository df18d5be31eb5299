import { sameWeights } from '../same_weights.ts'
import type { RunView } from '../view.ts'
import { lineSwatch } from './chart.ts'
import { h, KeyedList, setText, whenChanged, type Row } from './dom.ts'
import { duration, figure, integer, NOTHING, percent, recipeText, speed } from './format.ts'
import { stateName } from './overview.ts'
import { scrollable, type Section, type Shown } from './shown.ts'

interface Compared {
  view: RunView
  index: number
  selected: boolean
}

const COLUMNS: { name: string; number: boolean; text(view: RunView): string }[] = [
  { name: 'State', number: false, text: ({ state }) => stateName(state) },
  { name: 'Epochs', number: true, text: ({ history }) => integer(history.at(-1)?.epoch ?? 0) },
  { name: 'Test accuracy', number: true, text: ({ summary, history }) => percent(summary?.testAccuracy ?? history.at(-1)?.testAccuracy) },
  { name: 'Best', number: true, text: ({ history }) => (history.length === 0 ? NOTHING : percent(Math.max(...history.map(({ testAccuracy }) => testAccuracy)))) },
  { name: 'Test loss', number: true, text: ({ summary, history }) => figure(summary?.testLoss ?? history.at(-1)?.testLoss) },
  { name: 'Training loss', number: true, text: ({ summary, history }) => figure(summary?.trainLoss ?? history.at(-1)?.trainLoss) },
  { name: 'Images/s', number: true, text: ({ summary, history }) => speed(summary?.imagesPerSecond ?? history.at(-1)?.imagesPerSecond) },
  { name: 'Time', number: true, text: ({ summary, history }) => (history.length === 0 ? NOTHING : duration(summary?.seconds ?? history.reduce((sum, { seconds }) => sum + seconds, 0))) },
  { name: 'Workers', number: true, text: ({ summary, history, members }) => integer(summary?.workers ?? history.at(-1)?.workers ?? members.length) },
  { name: 'Batch', number: true, text: ({ facts }) => recipeText(facts.recipe['batch']) },
  { name: 'Learning rate', number: true, text: ({ facts }) => recipeText(facts.recipe['lr']) },
  { name: 'Precision', number: false, text: ({ facts }) => recipeText(facts.recipe['precision']) },
  { name: 'Digest', number: false, text: ({ summary }) => summary?.digest.slice(0, 12) ?? NOTHING },
]

/** A table that compares several runs: how they ended, how their lines are drawn, and which one's details are shown below. */
export function runsSection(onSelect: (index: number) => void): Section {
  const body = h('tbody')
  const list = new KeyedList<Compared>(body, ({ index }) => String(index), ({ index }) => comparedRow(index, onSelect))
  const alike = h('p', { class: 'alike' })
  const note = h('p', { class: 'note' }, 'The details below are those of the run that is chosen here.')
  const head = h('tr', {}, h('th', { scope: 'col' }, 'Run'), ...COLUMNS.map(({ name, number }) => h('th', { scope: 'col', class: number ? 'number' : '' }, name)))
  const title = h('h1', { id: 'runs-heading' }, 'Runs compared')
  const element = h('section', { class: 'card-runs', 'aria-labelledby': 'runs-heading' }, title, h('div', { class: 'card' }, scrollable('Table of the runs', h('table', {}, h('thead', {}, head), body)), note, alike))
  const show = whenChanged((selected: number, ...runs: RunView[]) => {
    element.hidden = runs.length < 2
    list.update(runs.map((view, index) => ({ view, index, selected: index === selected })))
    setText(alike, sameWeights(runs).join(' '))
    alike.hidden = alike.textContent === ''
  })
  return { element, update: ({ runs, selected }: Shown) => show(selected, ...runs) }
}

function comparedRow(index: number, onSelect: (index: number) => void): Row<Compared> {
  const radio = h('input', { type: 'radio', name: 'run', value: index })
  radio.addEventListener('change', () => onSelect(index))
  const name = h('span')
  const cells = COLUMNS.map(({ number }) => h('td', { class: number ? 'number' : '' }))
  const swatch = lineSwatch({ colour: index, dash: index, faint: false, marks: true })
  return {
    element: h('tr', {}, h('th', { scope: 'row' }, h('label', { class: 'choice' }, radio, swatch, h('span', {}, h('span', { class: 'visually-hidden' }, 'Show the details of '), name))), ...cells),
    update: ({ view, selected }) => {
      if (radio.checked !== selected) radio.checked = selected
      setText(name, view.facts.name)
      COLUMNS.forEach(({ text }, i) => setText(cells[i], text(view)))
    },
  }
}
