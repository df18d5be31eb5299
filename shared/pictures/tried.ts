import type { ScatterSeriesOption } from 'echarts'
import { renderChart, title } from './chart.ts'
import { FAINT, INK, MUTED } from './colours.ts'
import { printable, shorten } from './text.ts'

/** A trial of a sweep: the value that it had of one part, and what it came to. */
export interface TriedPoint {
  value: number | string
  /** Accuracy from 0 to 1, or a loss. */
  figure: number
  kind: 'best' | 'finished' | 'halted'
}

/** What one part of the recipe has to do with what the trials came to. */
export interface Tried {
  /** Name of the part. */
  part: string
  points: readonly TriedPoint[]
  measure: 'accuracy' | 'loss'
}

const SIZE = { width: 560, height: 380 }
const LONGEST_VALUE = 18
/** From this ratio of the largest to the smallest value on, an axis is logarithmic. */
const LOGARITHMIC_FROM = 20

const KINDS: readonly { kind: TriedPoint['kind']; name: string; item: NonNullable<ScatterSeriesOption['itemStyle']>; symbol: string; size: number }[] = [
  { kind: 'halted', name: 'halted', item: { color: '#ffffff', borderColor: MUTED, borderWidth: 1.5 }, symbol: 'circle', size: 9 },
  { kind: 'finished', name: 'trained to its end', item: { color: '#0b66b0', opacity: 0.75 }, symbol: 'circle', size: 10 },
  { kind: 'best', name: 'best', item: { color: '#c24b06' }, symbol: 'diamond', size: 16 },
]

/**
 * Draws what trials came to by the value of one part: numbers along an axis, logarithmic if they span much, anything else in columns.
 * @returns SVG
 */
export function triedPlot({ part, points, measure }: Tried): string {
  const axisLabel = { color: MUTED, fontSize: 12 }
  const numbers = points.map(({ value }) => value).filter((value) => typeof value === 'number')
  const areNumbers = numbers.length === points.length
  const [least, most] = [numbers.reduce((a, b) => Math.min(a, b), Infinity), numbers.reduce((a, b) => Math.max(a, b), -Infinity)]
  const text = (value: number | string): string => shorten(printable(String(value)), LONGEST_VALUE)
  const scale = areNumbers
    ? { type: least > 0 && most / least >= LOGARITHMIC_FROM ? ('log' as const) : ('value' as const), scale: true, axisLabel: { ...axisLabel, formatter: (value: number) => String(Number(value.toPrecision(3))) } }
    : { type: 'category' as const, data: [...new Set(points.map(({ value }) => text(value)))], axisLabel }
  const name = shorten(printable(part), 2 * LONGEST_VALUE)
  return renderChart(
    {
      title: title(name, ''),
      legend: { top: 44, left: 24, itemGap: 28, textStyle: { color: INK, fontSize: 12 }, data: KINDS.filter(({ kind }) => points.some((point) => point.kind === kind)).map((each) => each.name) },
      grid: { left: 76, right: 32, top: 84, bottom: 44 },
      xAxis: { ...scale, axisLine: { onZero: false, lineStyle: { color: MUTED } }, splitLine: { show: false } },
      yAxis: { type: 'value', scale: true, axisLabel: { ...axisLabel, formatter: (value: number) => (measure === 'accuracy' ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)))) }, splitLine: { lineStyle: { color: FAINT } } },
      series: KINDS.map(({ kind, name: label, item, symbol, size }): ScatterSeriesOption => ({
        type: 'scatter',
        name: label,
        symbol,
        symbolSize: size,
        itemStyle: item,
        data: points.filter((point) => point.kind === kind).map(({ value, figure }) => [areNumbers ? value : text(value), figure]),
      })),
    },
    SIZE,
  )
}
