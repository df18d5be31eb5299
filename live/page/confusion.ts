import { displayName } from '../../shared/data/class_names.ts'
import { cellsOf, resultsByClass } from '../../shared/evaluation/confusion.ts'
import type { RunView } from '../view.ts'
import type { EvaluationView } from '../../shared/run_folder/schemas.ts'
import { h, setAttributes, setText, whenChanged } from './dom.ts'
import { counted, integer, percent } from './format.ts'
import { card, scrollable, type Section, type Shown } from './shown.ts'

/** Most classes in the confusion matrix: a larger one could not be read, so the most frequent mistakes are listed instead. */
const CLASSES_IN_TABLE = 32
const MISTAKES_LISTED = 20
/** Most classes in the table of accuracies. */
const CLASSES_LISTED = 200

/** The results of the last evaluation: which class was taken for which, and the accuracy of each. */
export function confusionSection(): Section {
  const note = h('p', { class: 'note' })
  const content = h('div', { class: 'evaluation' })
  const element = card('confusion', 'Confusion matrix', note, content)
  const show = whenChanged((evaluation: EvaluationView | null, summary: RunView['summary']) => {
    if (evaluation === null) {
      setText(note, summary === null ? 'It comes with the first evaluation.' : '')
      content.replaceChildren(...(summary === null ? [] : [accuracyTable(resultsOfSummary(summary))]))
      return
    }
    const images = cellsOf(evaluation).reduce((sum, [, , count]) => sum + count, 0)
    setText(note, `Epoch ${integer(evaluation.epoch)}, ${counted(images, 'test image')}. Rows: what an image shows. Columns: what the network says.`)
    const table = evaluation.classes.length > CLASSES_IN_TABLE ? mistakes(evaluation) : matrix(evaluation)
    content.replaceChildren(table, accuracyTable(resultsOf(evaluation)))
  })
  return { element, update: ({ view }: Shown) => show(view.evaluation, view.summary) }
}

function matrix({ classes, confusion }: EvaluationView): HTMLElement {
  const head = h('tr', {}, h('td'), ...classes.map((name) => h('th', { scope: 'col' }, h('span', {}, displayName(name)))))
  const rows = confusion.map((counts, label) => {
    const all = counts.reduce((a, b) => a + b, 0)
    const cells = counts.map((count, predicted) => {
      const cell = h('td', { class: count === 0 ? 'none' : label === predicted ? 'right' : 'wrong' }, integer(count))
      cell.style.setProperty('--share', String(all === 0 ? 0 : count / all))
      return cell
    })
    return h('tr', {}, h('th', { scope: 'row' }, displayName(classes[label])), ...cells)
  })
  return scrollable('Confusion matrix', h('table', { class: 'matrix' }, h('caption', { class: 'visually-hidden' }, 'Test images by what they show (rows) and what the network says (columns)'), h('thead', {}, head), h('tbody', {}, ...rows)))
}

function mistakes(evaluation: EvaluationView): HTMLElement {
  const { classes } = evaluation
  const all = cellsOf(evaluation).filter(([label, predicted]) => label !== predicted)
  const most = all.sort(([, , a], [, , b]) => b - a).slice(0, MISTAKES_LISTED)
  const head = h('tr', {}, ...['Shows', 'Network says', 'Images'].map((name) => h('th', { scope: 'col' }, name)))
  const rows = most.map(([label, predicted, count]) => h('tr', {}, h('th', { scope: 'row' }, displayName(classes[label])), h('td', {}, displayName(classes[predicted])), h('td', { class: 'number' }, integer(count))))
  return scrollable('Most frequent mistakes', h('table', {}, h('caption', {}, 'Most frequent mistakes'), h('thead', {}, head), h('tbody', {}, ...rows)))
}

interface ClassResult {
  name: string
  images: number
  correct: number
}

/** The results of each class; of many, those of the classes that the network knows least. */
function resultsOf(evaluation: EvaluationView): ClassResult[] {
  const all = resultsByClass(evaluation, evaluation.classes.length).map((result, label) => ({ name: evaluation.classes[label], ...result }))
  if (all.length <= CLASSES_LISTED) return all
  const share = ({ images, correct }: ClassResult): number => (images === 0 ? 1 : correct / images)
  return all.sort((a, b) => share(a) - share(b)).slice(0, CLASSES_LISTED)
}

function resultsOfSummary({ perClass }: NonNullable<RunView['summary']>): ClassResult[] {
  return Object.entries(perClass).slice(0, CLASSES_LISTED).map(([name, { images, correct }]) => ({ name, images, correct }))
}

function accuracyTable(results: ClassResult[]): HTMLElement {
  const head = h('tr', {}, h('th', { scope: 'col' }, 'Class'), h('th', { scope: 'col', class: 'number' }, 'Images'), h('th', { scope: 'col' }, 'Accuracy'))
  const rows = results.map(({ name, images, correct }) => {
    const share = images === 0 ? null : correct / images
    return h('tr', {}, h('th', { scope: 'row' }, displayName(name)), h('td', { class: 'number' }, integer(images)), h('td', { class: 'share-cell' }, shareBar(share ?? 0), h('span', {}, percent(share, 0))))
  })
  return scrollable('Accuracy of each class', h('table', { class: 'accuracies' }, h('caption', {}, 'Accuracy of each class'), h('thead', {}, head), h('tbody', {}, ...rows)))
}

/** A bar whose length shows a share (0 to 1) that is written beside it. */
export function shareBar(share: number): HTMLElement {
  const bar = h('span', { class: 'share-bar', 'aria-hidden': 'true' })
  setAttributes(bar, { 'data-share': share.toFixed(3) })
  bar.style.setProperty('--share', String(share))
  return bar
}
