import { displayName } from '../../shared/data/class_names.ts'
import { classMetrics, meansOf, type ClassMetrics, type Figures } from '../../shared/evaluation/class_metrics.ts'
import { cellsOf } from '../../shared/evaluation/confusion.ts'
import { foremost } from '../../shared/kit/foremost.ts'
import type { Drawing } from '../../shared/pictures/drawing.ts'
import type { EvaluationView, ShownPrediction } from '../../shared/run_folder/schemas.ts'
import { counted, integer, percent } from '../page/format.ts'
import { drawn, html, named, section, table, type Content, type Html } from './html.ts'
import type { Reported, ShownDoubt, TestDetails } from './reported.ts'

/** Draws a picture as SVG. */
export type Draw = (drawing: Drawing) => Promise<string>

/** Most classes in the table; of more, those that are predicted worst. */
const MOST_CLASSES = 100
const WORST_CLASSES = 40
const MOST_PAIRS = 12

/** Says how a report gets what it lacks. */
const HOW_TO_GET = 'evaluates the last checkpoint on the test images, and writes this page again with it.'

/** What the test set says of the network: sections by class and by image. */
export async function testSections({ view: { facts, evaluation }, details, measured }: Reported, command: Html, draw: Draw): Promise<Content> {
  if (evaluation === null) return section('test', 'The test set', html`<p class="missing">The run has no evaluation yet. ${command} ${HOW_TO_GET}</p>`)
  const of = measured ?? `After epoch ${evaluation.epoch}, as the run evaluated it.`
  const missing = (what: string): Html => html`<p class="missing">${what} ${command} ${HOW_TO_GET}</p>`
  return [
    classesSection(evaluation, of),
    await confusionSection(evaluation, draw),
    section('calibration', 'Calibration', details === undefined ? missing('How sure the network is of each test image is not among the files of a run.') : await calibration(details, draw)),
    randomSection(evaluation),
    section('mistakes', 'Most confident mistakes', details === undefined ? missing('How sure the network is of each test image is not among the files of a run.') : mistakes(details)),
    section('labels', 'Likely wrong labels', details?.doubts === undefined ? missing('This needs the probability of every image’s own label, which a run does not compute.') : doubts(details.doubts, facts.testImages)),
  ]
}

/** The figures of each class, and their means. */
function classesSection(evaluation: EvaluationView, of: string): Html {
  const { classes } = evaluation
  const metrics = classMetrics(evaluation, classes.length)
  const { macro, weighted } = meansOf(metrics)
  const isPart = classes.length > MOST_CLASSES
  const shown = isPart ? foremost(metrics.keys(), WORST_CLASSES, (label) => -metrics[label].f1) : [...metrics.keys()]
  const figures = ({ precision, recall, f1 }: Figures): string[] => [precision, recall, f1].map((share) => percent(share))
  const row = (label: number, own: ClassMetrics): Content[] => [named(displayName(classes[label])), integer(own.images), integer(own.predicted), integer(own.correct), ...figures(own)]
  const images = metrics.reduce((sum, each) => sum + each.images, 0)
  const columns = [{ name: 'Class' }, ...['Images', 'Predicted', 'Correct', 'Precision', 'Recall', 'F1'].map((name) => ({ name, isNumber: true }))]
  return section(
    'classes', 'Precision, recall and F1 by class',
    html`<p class="note">${of} ${isPart ? `Of ${integer(classes.length)} classes, the ${WORST_CLASSES} with the lowest F1.` : ''}</p>`,
    table('Precision, recall and F1 by class', columns, [
      ...shown.map((label) => row(label, metrics[label])),
      ['mean of the classes (macro)', '', '', '', ...figures(macro)],
      ['mean of the images (weighted)', integer(images), integer(images), integer(metrics.reduce((sum, each) => sum + each.correct, 0)), ...figures(weighted)],
    ]),
    html`<p class="note">Precision: of the images taken for the class, those that are of it. Recall: of its images, those that are recognised. F1: their harmonic mean.</p>`,
  )
}

async function confusionSection(evaluation: EvaluationView, draw: Draw): Promise<Html> {
  const { classes } = evaluation
  const svg = await draw({ picture: 'confusion', confused: evaluation, classNames: classes.map(displayName) })
  const mistakes = cellsOf(evaluation).filter(([label, predicted]) => label !== predicted)
  const pairs = foremost(mistakes, MOST_PAIRS, ([, , count]) => count)
  const images = classMetrics(evaluation, classes.length)
  const rows = pairs.map(([label, predicted, count]) => [named(displayName(classes[label])), named(displayName(classes[predicted])), integer(count), percent(count / images[label].images)])
  return section(
    'confusion', 'Confusion',
    drawn(svg, 'Confusion matrix: test images by their true class and the class that they are taken for'),
    rows.length === 0 ? '' : [html`<h3>Confused most often</h3>`, table('Classes that are confused most often', [{ name: 'True class' }, { name: 'Taken for' }, { name: 'Images', isNumber: true }, { name: 'Of the class', isNumber: true }], rows)],
  )
}

async function calibration({ calibration: found }: TestDetails, draw: Draw): Promise<Content> {
  const { images, error, overconfidence } = found
  if (images === 0) return html`<p class="missing">The network’s outputs are no numbers: its training diverged.</p>`
  const inWords = Math.abs(overconfidence) < 0.005 ? 'On the whole it is as sure as it is right.' : `On the whole it is ${percent(Math.abs(overconfidence))} ${overconfidence > 0 ? 'surer than it is right' : 'less sure than it is right'}.`
  return [
    html`<p>Expected calibration error: <b>${percent(error)}</b>. ${inWords}</p>`,
    drawn(await draw({ picture: 'calibration', calibration: found }), 'Reliability diagram: how often predictions are right, by their probability'),
    html`<p class="note">Predictions lie in ${found.bins.length} ranges of equal width by their probability. A bar is the share of a range’s predictions that are right, a dot its mean probability: on the dashed line, both are equal. The
      error is their mean distance, weighted by images (Guo et al. 2017).</p>`,
  ]
}

function randomSection({ predictions }: EvaluationView): Html {
  const right = predictions.filter(({ truth, predicted }) => truth === predicted).length
  const content = predictions.length === 0 ? html`<p class="note">The run drew no pictures.</p>` : [html`<p class="note">${integer(right)} of ${integer(predictions.length)} are right.</p>`, images(predictions.map(pictureOf))]
  return section('random', 'Random test images', content)
}

function mistakes({ mistakes: { first, count } }: TestDetails): Content {
  if (count === 0) return html`<p class="note">No test image is predicted wrongly.</p>`
  return [html`<p class="note">${first.length < count ? `The surest ${first.length} of` : 'All of'} ${counted(count, 'wrong prediction')}.</p>`, images(first.map(pictureOf))]
}

function doubts({ first, count }: NonNullable<TestDetails['doubts']>, testImages: number): Content {
  const method = 'An image is listed if it is taken for another class, with a probability that this class has on average for its own images (confident learning, Northcutt et al. 2021). They are worth a look: many are mistakes of the network after all.'
  if (count === 0) return html`<p class="note">No test image is taken for another class as surely as that class’s own images. ${method}</p>`
  return [html`<p class="note">${first.length < count ? `The first ${first.length} of` : 'All of'} ${counted(count, 'image')}${testImages === 0 ? '' : ` (${percent(count / testImages)} of the test set)`}. ${method}</p>`, images(first.map(doubtOf))]
}

function images(pictures: readonly Html[]): Html {
  return html`<ul class="images">${pictures}</ul>`
}

function pictureOf(shown: ShownPrediction): Html {
  const isRight = shown.truth === shown.predicted
  return figureOf(shown, isRight ? 'right' : 'wrong', html`<p>${isRight ? '✓' : '✗'} <b>${named(displayName(shown.predicted))}</b> ${percent(shown.probability, 0)}</p><p class="note">${isRight ? 'right' : html`is ${named(displayName(shown.truth))}`}</p>`)
}

function doubtOf(shown: ShownDoubt): Html {
  return figureOf(shown, 'wrong', html`<p>labelled ${named(displayName(shown.truth))} ${percent(shown.labelProbability, 0)}</p><p>taken for <b>${named(displayName(shown.predicted))}</b> ${percent(shown.probability, 0)}</p>`)
}

function figureOf({ path, truth, image }: ShownPrediction, kind: 'right' | 'wrong', caption: Html): Html {
  return html`<li class="${kind}"><img src="data:image/webp;base64,${image}" alt="Test image of ${displayName(truth)}">${caption}<p class="path">${named(path)}</p></li>\n`
}
