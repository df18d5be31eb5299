import type { RunProgress, RunState, RunView } from '../view.ts'
import { h, setAttributes, setText, whenChanged } from './dom.ts'
import { duration, integer, recipeText } from './format.ts'
import { card, type Section, type Shown } from './shown.ts'

interface Bar {
  readonly element: HTMLElement
  update(state: { value: number; of: number; text: string; name?: string }): void
}

/** The progress of the epoch, of its evaluation and of the run, with the time that is left; hidden once the run has finished. */
export function progressSection(): Section {
  const epoch = bar('progress-epoch', 'Epoch')
  const testing = bar('progress-testing', 'Evaluation')
  const run = bar('progress-run', 'Whole run')
  const element = card('progress', 'Progress', h('div', { class: 'bars' }, epoch.element, testing.element, run.element))
  const show = whenChanged((progress: RunProgress, facts: RunView['facts'], state: RunState) => {
    const { stepsPerEpoch, recipe } = facts
    const steps = stepsPerEpoch * Number(recipe['epochs'] ?? 0)
    const goesOn = state === 'training' || state === 'evaluating' || state === 'waiting'
    element.hidden = state === 'finished'
    testing.element.hidden = !goesOn
    epoch.update({
      name: `Epoch ${integer(progress.epoch)} of ${recipeText(recipe['epochs'])}`,
      value: progress.stepInEpoch,
      of: stepsPerEpoch,
      text: joined(`step ${integer(progress.stepInEpoch)} of ${integer(stepsPerEpoch)}`, left(progress.epochSecondsLeft, goesOn)),
    })
    run.update({
      value: progress.step,
      of: steps,
      text: joined(`step ${integer(progress.step)} of ${integer(steps)}`, left(progress.runSecondsLeft, goesOn)),
    })
    const { testing: now } = progress
    if (now === null) testing.update({ value: 0, of: 0, text: 'after the epoch’s last step' })
    else testing.update({ value: now.done, of: now.total, text: `block ${integer(now.done)} of ${integer(now.total)} of the test images` })
  })
  return { element, update: ({ view }: Shown) => show(view.progress, view.facts, view.state) }
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' · ')
}

function left(seconds: number | null, goesOn: boolean): string {
  if (!goesOn || seconds === 0) return ''
  return seconds === null ? 'time left not known yet' : `${duration(seconds)} left`
}

function bar(id: string, name: string): Bar {
  const title = h('label', { for: id }, name)
  const share = h('span', { class: 'share' })
  const text = h('p', { id: `${id}-text` })
  const progress = h('progress', { id, 'aria-describedby': `${id}-text`, max: 1, value: 0 })
  return {
    element: h('div', { class: 'bar' }, h('div', { class: 'bar-head' }, title, share), progress, text),
    update: (state) => {
      const done = state.of === 0 ? 0 : Math.min(state.value / state.of, 1)
      if (state.name !== undefined) setText(title, state.name)
      setText(share, state.of === 0 ? '' : `${Math.floor(done * 100)} %`)
      setText(text, state.text)
      setAttributes(progress, { value: done })
    },
  }
}
