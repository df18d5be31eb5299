import type { RunView } from '../view.ts'
import { h, whenChanged } from './dom.ts'
import { counted, duration, figure, integer, percent, rate, speed } from './format.ts'
import { card, scrollable, type Section, type Shown } from './shown.ts'

/** The results of a run that has finished. */
export function summarySection(): Section {
  const list = h('dl', { class: 'summary' })
  const element = card('summary', 'How it ended', list)
  const show = whenChanged((summary: RunView['summary']) => {
    element.hidden = summary === null
    if (summary === null) return
    const items: [name: string, value: string][] = [
      ['Digest of the weights', summary.digest],
      ['Test accuracy', percent(summary.testAccuracy)],
      ['Test loss', figure(summary.testLoss)],
      ['Training loss', figure(summary.trainLoss)],
      ['Took', `${duration(summary.seconds)}, ${speed(summary.imagesPerSecond)} images/s`],
      ['Trained', `${counted(summary.epochs, 'epoch')}, ${counted(summary.steps, 'step')}, ${counted(summary.images, 'image')}`],
      ['Left out', counted(summary.skippedSteps, 'step')],
      ['Lanes', `${integer(summary.lanesComputed)} computed, ${integer(summary.lanesCounted)} counted, ${integer(summary.lanesRecomputed)} again after a loss, ${integer(summary.lanesTakenOver)} taken over`],
      ['Workers', `${integer(summary.workers)} at most, ${integer(summary.workersLost)} lost`],
      ['Restarts', integer(summary.restarts)],
      ['Engine', `${summary.engine}, ${summary.device}, ${summary.precision}`],
      ['Numerics', summary.fingerprints.length === 1 ? 'all workers compute alike' : `${counted(summary.fingerprints.length, 'different fingerprint')} among the workers`],
    ]
    list.replaceChildren(...items.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))))
  })
  return { element, update: ({ view }: Shown) => show(view.summary) }
}

/** The figures of every epoch: the curves, as a table. */
export function epochsSection(): Section {
  const names = ['Epoch', 'Training loss', 'Test loss', 'Training accuracy', 'Test accuracy', 'Learning rate', 'Images/s', 'Took', 'Workers']
  const body = h('tbody')
  const table = h('table', {}, h('thead', {}, h('tr', {}, ...names.map((name) => h('th', { scope: 'col', class: 'number' }, name)))), body)
  const details = h('details', {}, h('summary', {}, 'Epoch by epoch, as a table'), scrollable('Table of the epochs', table))
  const element = h('div', { class: 'card card-epochs' }, details)
  const show = whenChanged((history: RunView['history'], open: boolean) => {
    element.hidden = history.length === 0
    if (!open) return
    body.replaceChildren(
      ...history.toReversed().map((epoch) => {
        const cells = [figure(epoch.trainLoss), figure(epoch.testLoss), percent(epoch.trainAccuracy), percent(epoch.testAccuracy), rate(epoch.learningRate), speed(epoch.imagesPerSecond), duration(epoch.seconds), integer(epoch.workers)]
        return h('tr', {}, h('th', { scope: 'row', class: 'number' }, integer(epoch.epoch)), ...cells.map((text) => h('td', { class: 'number' }, text)))
      }),
    )
  })
  let history: RunView['history'] = []
  details.addEventListener('toggle', () => show(history, details.open))
  return {
    element,
    update: ({ view }: Shown) => {
      history = view.history
      show(history, details.open)
    },
  }
}
