import type { RunState, RunView } from '../view.ts'
import { h, KeyedList, setAttributes, setText, whenChanged, type Row } from './dom.ts'
import { counted, dateAndTime, duration, figure, integer, NOTHING, percent, recipeText, speed } from './format.ts'
import type { Section, Shown } from './shown.ts'

const STATES: Record<RunState, string> = {
  waiting: 'Waiting for workers',
  training: 'Training',
  evaluating: 'Evaluating',
  finished: 'Finished',
  stopped: 'Stopped',
  failed: 'Failed',
  interrupted: 'Interrupted',
}

interface Named {
  name: string
  value: string
  /** Text in small letters below the value. */
  note?: string
}

/** The run's name, state and settings, and the few figures that viewers look for first. */
export function overviewSection(): Section {
  let heading: HTMLElement = h('h1', { id: 'run-heading' })
  const badge = h('span')
  const folder = h('p', { class: 'folder' })
  const report = h('a', { target: '_blank', rel: 'noopener' }, 'Report: figures by class, calibration, mistakes, recipe, digest')
  const reportLine = h('p', { class: 'folder', hidden: true }, report)
  const facts = h('dl', { class: 'facts' })
  const figures = h('dl', { class: 'figures' })
  const factList = new KeyedList<Named>(facts, ({ name }) => name, namedRow)
  const figureList = new KeyedList<Named>(figures, ({ name }) => name, namedRow)
  const element = h('section', { class: 'overview', 'aria-labelledby': 'run-heading' }, h('div', { class: 'title' }, heading, badge), folder, reportLine, facts, figures)
  /** Makes the heading one level lower if there is a heading of the comparison above it. */
  const showLevel = whenChanged((compared: boolean) => {
    const leveled = h(compared ? 'h2' : 'h1', { id: 'run-heading' })
    heading.replaceWith(leveled)
    heading = leveled
  })
  const showState = whenChanged((state: RunState) => {
    setText(badge, STATES[state])
    setAttributes(badge, { class: `badge state-${state}` })
  })
  return {
    element,
    update({ view, runs, selected }: Shown): void {
      showLevel(runs.length > 1)
      setText(heading, view.facts.name)
      setText(folder, `${view.facts.folder} · started ${dateAndTime(view.startedAt)}`)
      reportLine.hidden = view.report !== true
      setAttributes(report, { href: `report?run=${selected}` })
      showState(view.state)
      factList.update(factsOf(view))
      figureList.update(figuresOf(view))
    },
  }
}

export function stateName(state: RunState): string {
  return STATES[state]
}

function factsOf({ facts, members, summary }: RunView): Named[] {
  const { recipe } = facts
  return [
    { name: 'Model', value: `${recipeText(recipe['model'])}, ${integer(facts.parameters)} parameters` },
    { name: 'Images', value: `${integer(facts.trainImages)} training, ${integer(facts.testImages)} test, ${recipeText(recipe['imageSize'])} px` },
    { name: 'Classes', value: integer(facts.classes.length) },
    { name: 'Batch', value: `${recipeText(recipe['batch'])} in ${recipeText(recipe['lanes'])} lanes` },
    { name: 'Learning rate', value: recipeText(recipe['lr']), note: recipeText(recipe['schedule']) },
    { name: 'Optimizer', value: recipeText(recipe['optimizer']) },
    { name: 'Augmentation', value: recipeText(recipe['augmentation']) },
    { name: 'Engine', value: `${recipeText(recipe['engine'])}, ${recipeText(recipe['precision'])}` },
    { name: 'Workers', value: summary === null ? integer(members.length) : `${integer(summary.workers)} at most` },
  ]
}

function figuresOf({ steps, history, progress, members, summary, state }: RunView): Named[] {
  const step = steps.at(-1)
  const epoch = history.at(-1)
  const best = history.length === 0 ? undefined : history.reduce((a, b) => (b.testAccuracy > a.testAccuracy ? b : a))
  const running = summary === null
  return [
    {
      name: 'Test accuracy',
      value: percent(summary?.testAccuracy ?? epoch?.testAccuracy),
      note: epoch === undefined || best === undefined ? 'after the first epoch' : best === epoch ? `epoch ${epoch.epoch}, the best so far` : `epoch ${epoch.epoch}; best ${percent(best.testAccuracy)} in epoch ${best.epoch}`,
    },
    {
      name: 'Test loss',
      value: figure(summary?.testLoss ?? epoch?.testLoss),
      note: epoch === undefined ? 'after the first epoch' : `training ${figure(epoch.trainLoss)}`,
    },
    running
      ? { name: 'Loss now', value: figure(step?.loss), note: step === undefined ? 'no step yet' : `step ${integer(step.step)}` }
      : { name: 'Took', value: duration(summary.seconds), note: counted(summary.steps, 'step') },
    {
      name: 'Images a second',
      value: speed(running ? (progress.imagesPerSecond ?? epoch?.imagesPerSecond) : summary.imagesPerSecond),
      note: running && state !== 'interrupted' ? counted(members.length, 'worker') : 'on average',
    },
  ]
}

function namedRow({ name }: Named): Row<Named> {
  const value = h('span', { class: 'main' })
  const note = h('span', { class: 'note' })
  return {
    element: h('div', {}, h('dt', {}, name), h('dd', {}, value, note)),
    update: (item) => {
      setText(value, item.value || NOTHING)
      setText(note, item.note ?? '')
    },
  }
}
