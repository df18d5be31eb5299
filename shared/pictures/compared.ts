import type { LineSeriesOption } from 'echarts'
import { renderChart, title } from './chart.ts'
import { FAINT, INK, MUTED } from './colours.ts'
import type { CurvePoint } from './curves.ts'
import { printable, shorten } from './text.ts'

/** A run among those that are compared. */
export interface ComparedRun {
  name: string
  history: readonly CurvePoint[]
}

/** What stands behind the runs that are compared, and how the figure is called there. */
export interface Others {
  title: string
  /** Histories that are drawn faintly, without a name. */
  histories: readonly (readonly CurvePoint[])[]
}

export type ComparedFigure = Exclude<keyof CurvePoint, 'epoch'>

/** Colours that are told apart by the colour-blind; where there are more runs, dashes tell them apart. */
const COLOURS = ['#0b66b0', '#c24b06', '#00795c', '#93428f', '#846500', '#07808f', '#b02a50', '#4d5763']
const DASHES = ['solid', 'dashed', 'dotted'] as const
const TITLES: Readonly<Record<ComparedFigure, string>> = { testLoss: 'Test loss', testAccuracy: 'Test accuracy', trainLoss: 'Training loss', trainAccuracy: 'Training accuracy' }
/** Colour of runs without a name. */
const OTHERS = '#c5ccd3'
const WIDTH = 880
const PLOT_HEIGHT = 340
const LONGEST_NAME = 36
/** Names in a row of the legend, and its height. */
const NAMES_IN_ROW = 3
const ROW_HEIGHT = 40

/**
 * Draws one figure of several runs by epoch, a line for each run.
 * @returns SVG
 */
export function comparedPlot(runs: readonly ComparedRun[], figure: ComparedFigure, others: Others = { title: TITLES[figure], histories: [] }): string {
  const isShare = figure === 'testAccuracy' || figure === 'trainAccuracy'
  // The legend and the series know each other by name, so that runs of one name need a number.
  const names = runs.map(({ name }, index) => `${runs.filter((run) => run.name === name).length > 1 ? `${index + 1}: ` : ''}${shorten(printable(name), LONGEST_NAME)}`)
  const format = (value: number): string => (isShare ? `${Math.round(100 * value)} %` : String(Number(value.toPrecision(3))))
  const longest = [...runs.map(({ history }) => history), ...others.histories].reduce((most, history) => history.reduce((last, { epoch }) => Math.max(last, epoch), most), 2)
  const legendHeight = Math.ceil(runs.length / NAMES_IN_ROW) * ROW_HEIGHT
  const top = 64 + legendHeight
  const name = { nameLocation: 'middle' as const, nameTextStyle: { color: MUTED, fontSize: 13 } }
  const axisLabel = { color: MUTED, fontSize: 12 }
  return renderChart(
    {
      title: title(others.title, ''),
      legend: { top: 52, left: 24, width: WIDTH - 48, icon: 'path://M0 4h28v3H0z', itemWidth: 28, itemHeight: 4, itemGap: 24, textStyle: { color: INK, fontSize: 13, width: WIDTH / NAMES_IN_ROW - 60 }, data: names },
      grid: { left: 84, right: 40, top, height: PLOT_HEIGHT },
      xAxis: { type: 'value', name: 'epoch', nameGap: 34, ...name, min: 1, max: longest, minInterval: 1, axisLabel, axisLine: { lineStyle: { color: MUTED } }, splitLine: { show: false } },
      yAxis: { type: 'value', ...(isShare ? { min: 0, max: 1 } : { min: 0 }), axisLabel: { ...axisLabel, formatter: format }, splitLine: { lineStyle: { color: FAINT } } },
      series: [...others.histories.map((history): LineSeriesOption => ({ type: 'line', color: OTHERS, symbol: 'none', lineStyle: { width: 1 }, data: pointsOf(history, figure) })), ...runs.map(({ history }, index): LineSeriesOption => ({
        type: 'line',
        name: names[index],
        color: COLOURS[index % COLOURS.length],
        symbol: 'circle',
        symbolSize: 5,
        showSymbol: history.length <= 30,
        lineStyle: { width: 2, type: DASHES[Math.floor(index / COLOURS.length) % DASHES.length] },
        data: pointsOf(history, figure),
      }))],
    },
    { width: WIDTH, height: top + PLOT_HEIGHT + 64 },
  )
}

/** The points of a line, which has a gap where a figure is not finite. */
function pointsOf(history: readonly CurvePoint[], figure: ComparedFigure): number[][] {
  return history.map((point) => [point.epoch, Number.isFinite(point[figure]) ? point[figure] : null] as (number | null)[] as number[])
}
