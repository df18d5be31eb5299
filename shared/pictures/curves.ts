import type { LineSeriesOption } from 'echarts'
import { renderChart, title } from './chart.ts'
import { FAINT, INK, MUTED } from './colours.ts'

/** The figures of one epoch that the curves show; a line of the history has them. NaN, from a diverged run, leaves a gap. */
export interface CurvePoint {
  epoch: number
  trainLoss: number
  testLoss: number
  trainAccuracy: number
  testAccuracy: number
}

const SIZE = { width: 880, height: 500 }
const TRAIN_COLOUR = '#8a97a6'
const TEST_COLOUR = '#d1495b'
/** Greatest number of epochs with which each epoch still gets a dot. */
const DOTTED_EPOCHS = 30

/**
 * Draws training and test loss by epoch.
 * @returns SVG
 */
export function lossPlot(history: readonly CurvePoint[]): string {
  const best = bestBy(history, ({ testLoss }) => -testLoss)
  return curves(history, {
    heading: 'Loss',
    note: best === undefined ? 'no epoch yet' : `lowest test loss ${best.testLoss.toFixed(3)} after epoch ${best.epoch}`,
    axis: 'cross entropy per image',
    train: ({ trainLoss }) => trainLoss,
    test: ({ testLoss }) => testLoss,
    format: (value) => String(Number(value.toPrecision(3))),
  })
}

/**
 * Draws training and test accuracy by epoch; 0 to 1 is shown as per cent.
 * @returns SVG
 */
export function accuracyPlot(history: readonly CurvePoint[]): string {
  const best = bestBy(history, ({ testAccuracy }) => testAccuracy)
  return curves(history, {
    heading: 'Accuracy',
    note: best === undefined ? 'no epoch yet' : `highest test accuracy ${(100 * best.testAccuracy).toFixed(1)} % after epoch ${best.epoch}`,
    axis: 'images classified correctly',
    train: ({ trainAccuracy }) => trainAccuracy,
    test: ({ testAccuracy }) => testAccuracy,
    format: (value) => `${Math.round(100 * value)} %`,
    range: [0, 1],
  })
}

interface Curves {
  heading: string
  note: string
  axis: string
  train: (point: CurvePoint) => number
  test: (point: CurvePoint) => number
  format: (value: number) => string
  range?: [number, number]
}

function curves(history: readonly CurvePoint[], { heading, note, axis, train, test, format, range }: Curves): string {
  const last = history.reduce((most, { epoch }) => Math.max(most, epoch), 1)
  const dots = history.length <= DOTTED_EPOCHS
  const line = (name: string, colour: string, width: number, value: (point: CurvePoint) => number): LineSeriesOption => ({
    type: 'line',
    name,
    color: colour,
    showSymbol: dots,
    symbol: 'circle',
    symbolSize: 6,
    lineStyle: { width },
    endLabel: { show: true, formatter: ({ value: point }) => format((point as number[])[1]), color: colour, fontSize: 12, fontWeight: 'bold', distance: 8 },
    labelLayout: { moveOverlap: 'shiftY' },
    data: history.map((point) => [point.epoch, Number.isFinite(value(point)) ? value(point) : null] as (number | null)[] as number[]),
  })
  const name = { nameLocation: 'middle' as const, nameTextStyle: { color: MUTED, fontSize: 13 } }
  const axisLabel = { color: MUTED, fontSize: 12 }
  return renderChart(
    {
      title: title(heading, note),
      legend: { top: 20, right: 24, icon: 'roundRect', itemWidth: 18, itemHeight: 4, itemGap: 20, textStyle: { color: INK, fontSize: 13 } },
      grid: { left: 84, right: 76, top: 84, bottom: 64 },
      xAxis: { type: 'value', name: 'epoch', nameGap: 34, ...name, min: history.length > 1 ? 1 : 0, max: Math.max(last, 2), minInterval: 1, axisLabel, axisLine: { lineStyle: { color: MUTED } }, splitLine: { show: false } },
      yAxis: { type: 'value', name: axis, nameGap: 58, ...name, ...(range === undefined ? { min: 0 } : { min: range[0], max: range[1] }), axisLabel: { ...axisLabel, formatter: format }, splitLine: { lineStyle: { color: FAINT } } },
      series: [line('training', TRAIN_COLOUR, 2, train), line('test', TEST_COLOUR, 2.5, test)],
    },
    SIZE,
  )
}

function bestBy(history: readonly CurvePoint[], score: (point: CurvePoint) => number): CurvePoint | undefined {
  return history.filter((point) => Number.isFinite(score(point))).reduce<CurvePoint | undefined>((best, point) => (best === undefined || score(point) > score(best) ? point : best), undefined)
}
