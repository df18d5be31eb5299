import { displayName } from '../../shared/data/class_names.ts'
import type { PhotoPrediction } from '../view.ts'
import { shareBar } from './confusion.ts'
import { h, setAttributes, setText, whenChanged } from './dom.ts'
import { bytes, integer, percent } from './format.ts'
import { classifyByRun, SaidError } from './api.ts'
import { card, type Section, type Shown } from './shown.ts'

/** Largest photograph that the server takes. */
const MAX_BYTES = 32 * 1024 * 1024
const CLASSES_SHOWN = 10

/** The section of the live page in which the weights of the selected run classify a photograph. */
export function photographSection(onTokenNeeded: () => void): Section {
  let run = 0
  const { element, forget } = photographCard((photograph) => classifyByRun(run, photograph), onTokenNeeded)
  const choose = whenChanged((selected: number) => {
    run = selected
    // Answers of another run, also those still to come, do not belong to this one.
    forget()
  })
  return { element, update: ({ selected }: Shown) => choose(selected) }
}

/**
 * A card in which a photograph is dropped or chosen, and classified.
 * @returns the card, and a function that forgets the photograph and its answer, also one that is still to come
 */
export function photographCard(classify: (photograph: File) => Promise<PhotoPrediction>, onTokenNeeded: () => void): { element: HTMLElement; forget: () => void } {
  const input = h('input', { type: 'file', id: 'photograph', accept: 'image/*', 'aria-describedby': 'photograph-hint' })
  const drop = h('div', { class: 'drop' }, h('label', { for: 'photograph' }, 'Choose a photograph'), input, h('p', { id: 'photograph-hint' }, 'or drop one here. It goes to the host of this page and nowhere else.'))
  const picture = h('img', { alt: 'Your photograph', hidden: true })
  const error = h('p', { class: 'error', role: 'alert' })
  const status = h('p', { class: 'status', role: 'status' })
  const answer = h('ol', { class: 'answer' })
  const element = card('photograph', 'Ask about a photograph', h('form', {}, drop), h('div', { class: 'asked' }, picture, h('div', {}, error, status, answer)))
  let asked = 0

  const ask = async (photograph: File): Promise<void> => {
    const mine = ++asked
    setText(error, '')
    answer.replaceChildren()
    setText(status, 'Asking the network …')
    URL.revokeObjectURL(picture.src)
    picture.src = URL.createObjectURL(photograph)
    picture.hidden = false
    setAttributes(element, { 'aria-busy': 'true' })
    try {
      if (photograph.size > MAX_BYTES) throw new SaidError(`${photograph.name} has ${bytes(photograph.size)}: choose one of ${bytes(MAX_BYTES)} at most.`, 413)
      const prediction = await classify(photograph)
      if (mine === asked) show(prediction)
    } catch (reason) {
      if (mine !== asked) return
      setText(status, '')
      setText(error, reason instanceof Error ? reason.message : String(reason))
      if (reason instanceof SaidError && reason.status === 401) onTokenNeeded()
    } finally {
      if (mine === asked) setAttributes(element, { 'aria-busy': false })
    }
  }

  const show = ({ classes, epoch, step }: PhotoPrediction): void => {
    const [best] = classes
    setText(status, `${displayName(best.class)}, ${percent(best.probability)}, say the weights of step ${integer(step)} (epoch ${integer(epoch)}).`)
    answer.replaceChildren(
      ...classes.slice(0, CLASSES_SHOWN).map(({ class: name, probability }) => h('li', {}, h('span', { class: 'label' }, displayName(name)), shareBar(probability), h('span', { class: 'value' }, percent(probability)))),
    )
  }

  input.addEventListener('change', () => {
    const [file] = input.files ?? []
    if (file !== undefined) void ask(file)
    // The field is emptied so that choosing the same photograph again, to ask later weights, is a change.
    input.value = ''
  })
  picture.addEventListener('error', () => (picture.hidden = true))
  takeDrops(drop, (file) => void ask(file))

  const forget = (): void => {
    asked++
    setText(error, '')
    setText(status, '')
    answer.replaceChildren()
    picture.hidden = true
    setAttributes(element, { 'aria-busy': false })
  }
  return { element, forget }
}

/** Takes files dropped anywhere on the page, since the browser would open a file dropped beside the field in place of the page. */
function takeDrops(drop: HTMLElement, onFile: (file: File) => void): void {
  const mark = (over: boolean): void => void drop.classList.toggle('over', over)
  document.addEventListener('dragover', (event) => {
    event.preventDefault()
    mark(true)
  })
  document.addEventListener('dragleave', (event) => event.relatedTarget === null && mark(false))
  document.addEventListener('drop', (event) => {
    event.preventDefault()
    mark(false)
    const [file] = event.dataTransfer?.files ?? []
    if (file !== undefined) onFile(file)
  })
}
