import { displayName } from '../../shared/data/class_names.ts'
import type { EvaluationView, ShownPrediction } from '../../shared/run_folder/schemas.ts'
import { h, setText, whenChanged } from './dom.ts'
import { integer, percent } from './format.ts'
import { card, type Section, type Shown } from './shown.ts'

/** Random test images with the network's predictions at the last evaluation. */
export function predictionsSection(): Section {
  const note = h('p', { class: 'note' })
  const list = h('ul', { class: 'predictions' })
  const element = card('predictions', 'Predictions on test images', note, list)
  const show = whenChanged((evaluation: EvaluationView | null) => {
    element.hidden = evaluation === null || evaluation.predictions.length === 0
    if (evaluation === null) return
    const right = evaluation.predictions.filter(({ truth, predicted }) => truth === predicted).length
    setText(note, `Drawn at random in epoch ${integer(evaluation.epoch)}: ${integer(right)} of ${integer(evaluation.predictions.length)} are right.`)
    list.replaceChildren(...evaluation.predictions.map(shown))
  })
  return { element, update: ({ view }: Shown) => show(view.evaluation) }
}

function shown({ path, truth, predicted, probability, image }: ShownPrediction): HTMLElement {
  const right = truth === predicted
  const picture = h('img', { src: `data:image/webp;base64,${image}`, alt: `Test image of ${displayName(truth)}`, title: path, width: 128, height: 128 })
  const mark = h('span', { class: 'mark', 'aria-hidden': 'true' }, right ? '✓' : '✗')
  return h(
    'li',
    { class: right ? 'right' : 'wrong' },
    picture,
    h('p', { class: 'said' }, mark, h('span', { class: 'visually-hidden' }, right ? 'Right: ' : 'Wrong: '), h('b', {}, displayName(predicted)), ' ', h('span', { class: 'value' }, percent(probability, 0))),
    h('p', { class: 'truth' }, right ? 'right' : `is ${displayName(truth)}`),
  )
}
