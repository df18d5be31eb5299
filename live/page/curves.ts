import uPlot from 'uplot'
import type { RunView, StepPoint } from '../view.ts'
import { Chart, type Curve, type Table } from './chart.ts'
import { h, whenChanged } from './dom.ts'
import { figure, percent, speed } from './format.ts'
import { card, type Section, type Shown } from './shown.ts'

type Epoch = RunView['history'][number]

/** The figures of a run that one chart draws. */
interface Figures {
  ofStep?: { label: string; value(point: StepPoint): number | null }
  ofEpochs: { label: string; value(epoch: Epoch): number }[]
}

const LOSS: Figures = {
  ofStep: { label: 'each step', value: (point) => point.loss },
  ofEpochs: [
    { label: 'training', value: (epoch) => epoch.trainLoss },
    { label: 'test', value: (epoch) => epoch.testLoss },
  ],
}
const ACCURACY: Figures = {
  ofStep: { label: 'each step', value: (point) => point.accuracy },
  ofEpochs: [
    { label: 'training', value: (epoch) => epoch.trainAccuracy },
    { label: 'test', value: (epoch) => epoch.testAccuracy },
  ],
}
const SPEED: Figures = {
  ofStep: { label: 'each step', value: (point) => point.imagesPerSecond },
  ofEpochs: [{ label: 'epoch', value: (epoch) => epoch.imagesPerSecond }],
}
const GRADIENT: Figures = { ofStep: { label: 'each step', value: (point) => point.gradientNorm }, ofEpochs: [] }

export function curvesSection(): Section {
  const loss = new Chart({ title: 'Loss', format: figure, range: padded })
  const accuracy = new Chart({ title: 'Accuracy', format: (share) => percent(share), ticks: (share) => percent(share, 0), range: (min, max) => padded(min, max).map((share) => Math.min(Math.max(share, 0), 1)) as [number, number] })
  const imagesPerSecond = new Chart({ title: 'Images a second', format: speed, range: (_, max) => [0, max === null || max === 0 ? 1 : max * 1.08] })
  const gradient = new Chart({ title: 'Gradient norm', format: figure, range: padded })
  const charts: [Chart, Figures][] = [[loss, LOSS], [accuracy, ACCURACY], [imagesPerSecond, SPEED], [gradient, GRADIENT]]
  const element = card('curves', 'Curves', h('div', { class: 'charts' }, ...charts.map(([chart]) => chart.element)))

  const drawn = charts.map(([chart, figures]) =>
    whenChanged((xName: string, ...parts: unknown[]) => {
      const runs = parts as RunView[]
      chart.update(runs.length === 1 ? tablesOfOne(runs[0], figures, xName) : runs.flatMap((run, i) => tablesOfSeveral(run, figures, xName, i)), xName)
    }),
  )
  // The object of a run changes with each patch, its curves only with some patches.
  const keep = runKeeper()
  return {
    element,
    update({ runs }: Shown): void {
      const kept = keep(runs)
      const xName = kept.every(({ facts }) => facts.stepsPerEpoch === kept[0].facts.stepsPerEpoch) ? 'step' : 'epoch'
      gradient.element.hidden = !kept.some(({ steps }) => steps.some(({ gradientNorm }) => gradientNorm !== null))
      for (const draw of drawn) draw(xName, ...kept)
    },
  }
}

/** Returns a function that gives the earlier view of a run as long as its curves are the same. */
function runKeeper(): (runs: RunView[]) => RunView[] {
  let kept: RunView[] = []
  return (runs) => {
    const before = kept
    kept = runs.map((run, i) => {
      const old = before[i] as RunView | undefined
      return old !== undefined && old.steps === run.steps && old.history === run.history && old.facts === run.facts ? old : run
    })
    return kept
  }
}

/** Tables of a single run: every step, faint, and in front of it the figures of each epoch. */
function tablesOfOne(run: RunView, { ofStep, ofEpochs }: Figures, xName: string): Table[] {
  const curves = ofEpochs.map(({ label, value }, i): Curve => ({ label, colour: i, dash: i, faint: false, marks: true, values: run.history.map(value) }))
  const epochs = curves.length === 0 ? [] : [{ x: run.history.map((epoch) => xOf(run, epoch.step, xName)), curves }]
  if (ofStep === undefined || run.steps.length === 0) return epochs
  const everyStep: Curve = { label: ofStep.label, colour: 0, dash: 0, faint: curves.length > 0, marks: false, values: run.steps.map(ofStep.value) }
  return [{ x: run.steps.map(({ step }) => xOf(run, step, xName)), curves: [everyStep] }, ...epochs]
}

/** Tables of one of several runs, in its own colour and dash pattern: the figures of epochs if the chart has any, else of steps. */
function tablesOfSeveral(run: RunView, { ofStep, ofEpochs }: Figures, xName: string, index: number): Table[] {
  const { name } = run.facts
  const curves = ofEpochs.map(({ label, value }, i): Curve => ({
    label: ofEpochs.length > 1 ? `${name}, ${label}` : name,
    colour: index,
    dash: index,
    // The last figure is the important one: that of the test images.
    faint: i < ofEpochs.length - 1,
    marks: i === ofEpochs.length - 1,
    values: run.history.map(value),
  }))
  if (curves.length > 0) return [{ x: run.history.map((epoch) => xOf(run, epoch.step, xName)), curves }]
  if (ofStep === undefined) return []
  const everyStep: Curve = { label: name, colour: index, dash: index, faint: false, marks: false, values: run.steps.map(ofStep.value) }
  return [{ x: run.steps.map(({ step }) => xOf(run, step, xName)), curves: [everyStep] }]
}

/** The x of a step: the step itself, or epochs for runs whose epochs have different numbers of steps. */
function xOf({ facts }: RunView, step: number, xName: string): number {
  return xName === 'step' || facts.stepsPerEpoch === 0 ? step : step / facts.stepsPerEpoch
}

function padded(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null) return [0, 1]
  const [low, high] = uPlot.rangeNum(min, max, 0.1, true)
  return [low ?? 0, high ?? 1]
}
