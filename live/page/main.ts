import { patched } from '../patch.ts'
import type { LiveMessage, RunState, RunView } from '../view.ts'
import { announcer } from './announcer.ts'
import { confusionSection } from './confusion.ts'
import { Connection } from './connection.ts'
import { ConnectionSign } from './connection_sign.ts'
import { curvesSection } from './curves.ts'
import { byId, h, setText } from './dom.ts'
import { eventsSection } from './events.ts'
import { Login } from './login.ts'
import { recipeText } from './format.ts'
import { overviewSection, stateName } from './overview.ts'
import { photographSection } from './photograph.ts'
import { predictionsSection } from './predictions.ts'
import { progressSection } from './progress.ts'
import { runsSection } from './runs.ts'
import type { Section } from './shown.ts'
import { epochsSection, summarySection } from './summary.ts'
import { workersSection } from './workers.ts'

/** The live page: takes the messages of the WebSocket, and shows them, at most once for each frame of the screen. */

const ENDS: ReadonlySet<RunState> = new Set(['finished', 'stopped', 'failed'])

let runs: RunView[] = []
let live = true
let selected = 0
let awaited = false

const announce = announcer(byId('announcer'))
const sign = new ConnectionSign(announce)
const login = new Login('This run is not for everybody: give the token that its workers join with (HERD_TOKEN, or the file of --token-file).', () => connection.connect())
const empty = h('p', { class: 'card loading' }, 'Connecting to the run …')
const curves = curvesSection()
const comparison = runsSection((index) => {
  selected = index
  changed()
})
const sections: Section[] = [
  comparison,
  overviewSection(),
  progressSection(),
  summarySection(),
  curves,
  epochsSection(),
  workersSection(),
  confusionSection(),
  predictionsSection(),
  photographSection(() => login.show()),
  eventsSection(),
]
const run = h('div', { class: 'run', hidden: true }, ...sections.map(({ element }) => element))
byId('connection').replaceWith(sign.element)
byId('main').append(login.element, empty, run)

const connection = new Connection({
  onMessage(message) {
    take(message)
    changed()
  },
  onState(state) {
    sign.update(state)
    if (state.state === 'token needed') login.show()
    empty.hidden = state.state === 'token needed' || !run.hidden
    // The state shown may be out of date.
    run.classList.toggle('stale', state.state === 'disconnected')
  },
})

function take(message: LiveMessage): void {
  if (message.type === 'runs') {
    ;({ runs, live } = message)
    if (selected >= runs.length) selected = 0
    // Sections on all runs come before those on one.
    if (runs.length > 1) comparison.element.after(curves.element)
    return
  }
  const { run: index, patch } = message
  if (!(index in runs)) return
  const before = runs[index]
  runs = runs.with(index, patched(before, patch))
  const warning = patch.newEvents?.findLast(({ level }) => level === 'warning')
  if (warning !== undefined) announce(warning.text)
  if (runs[index].state !== before.state && ENDS.has(runs[index].state)) announce(`${before.facts.name}: ${stateName(runs[index].state)}`)
}

function changed(): void {
  if (awaited) return
  awaited = true
  requestAnimationFrame(() => {
    awaited = false
    render()
  })
}

function render(): void {
  const view = runs[selected] as RunView | undefined
  run.hidden = view === undefined
  empty.hidden = view !== undefined
  setText(empty, live ? 'The run is being prepared …' : 'There is no run to show.')
  if (view === undefined) return
  sign.sawRun(view.state, live)
  for (const section of sections) section.update({ runs, live, selected, view })
  document.title = titleOf(view)
}

function titleOf({ facts, state, progress, summary }: RunView): string {
  const now = summary !== null || state !== 'training' ? stateName(state) : `Epoch ${progress.epoch}/${recipeText(facts.recipe['epochs'])}`
  return `${now} · ${facts.name} · Herd`
}
