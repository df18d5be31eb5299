import type { LineSeriesOption, ScatterSeriesOption } from 'echarts'
import { renderChart, title } from './chart.ts'
import { FAINT, INK, MUTED } from './colours.ts'

/** A predicted curve of a value over the number of workers. */
export interface ScalingCurve {
  name: string
  points: readonly { workers: number; value: number }[]
  /** True for a curve on the right axis: values are fractions of 1, shown as per cent. */
  share?: boolean
}

/** Measured values with their spread over rounds, in the colour of the curve with the same index. */
export interface ScalingMeasured {
  name: string
  points: readonly { workers: number; median: number; least: number; most: number }[]
}

export interface ScalingPlot {
  heading: string
  note: string
  /** Unit of the left axis. */
  unit: string
  curves: readonly ScalingCurve[]
  measured?: readonly ScalingMeasured[]
}

const SIZE = { width: 880, height: 500 }
const COLOURS = ['#d1495b', '#2e6f95', '#3f8f5f', '#8a97a6']
const SHARE_COLOUR = '#8a97a6'
const whole = (value: number): string => String(Number(value.toPrecision(3)))

/**
 * Draws speed, time or efficiency over the number of workers: predictions as lines, measurements as points with a bar from the least to the most
 * of the rounds.
 * @returns SVG
 */
export function scalingPlot({ heading, note, unit, curves, measured = [] }: ScalingPlot): string {
  const workers = [...curves, ...measured].flatMap(({ points }) => points.map((point) => point.workers))
  const axis = { nameLocation: 'middle' as const, nameTextStyle: { color: MUTED, fontSize: 13 }, axisLabel: { color: MUTED, fontSize: 12 } }
  return renderChart(
    {
      title: title(heading, note),
      legend: { top: 20, right: 24, itemWidth: 18, itemGap: 20, textStyle: { color: INK, fontSize: 13 }, data: [...curves, ...measured].map(({ name }) => name) },
      grid: { left: 84, right: 84, top: 84, bottom: 64 },
      xAxis: { type: 'value', name: 'workers', nameGap: 34, ...axis, min: Math.min(1, ...workers), max: Math.max(2, ...workers), minInterval: 1, axisLine: { lineStyle: { color: MUTED } }, splitLine: { show: false } },
      yAxis: [
        { type: 'value', name: unit, nameGap: 58, ...axis, min: 0, axisLabel: { ...axis.axisLabel, formatter: whole }, splitLine: { lineStyle: { color: FAINT } } },
        { type: 'value', show: curves.some(({ share }) => share), name: 'efficiency', nameGap: 48, ...axis, min: 0, max: 1, axisLabel: { ...axis.axisLabel, formatter: (value: number) => `${Math.round(100 * value)} %` }, splitLine: { show: false } },
      ],
      series: [...curves.map(lineOf), ...measured.flatMap(pointsOf)],
    },
    SIZE,
  )
}

function lineOf({ name, points, share = false }: ScalingCurve, place: number): LineSeriesOption {
  const color = share ? SHARE_COLOUR : COLOURS[place % COLOURS.length]
  return { type: 'line', name, color, yAxisIndex: share ? 1 : 0, showSymbol: false, lineStyle: { width: 2, type: share ? 'dashed' : 'solid' }, data: points.map(({ workers, value }) => [workers, value]) }
}

/** Builds the series of a measurement: the medians, and for each a bar from the least to the most. */
function pointsOf({ name, points }: ScalingMeasured, place: number): (ScatterSeriesOption | LineSeriesOption)[] {
  const color = COLOURS[place % COLOURS.length]
  return [
    { type: 'scatter', name, color, symbolSize: 9, data: points.map(({ workers, median }) => [workers, median]) },
    ...points.map(({ workers, least, most }): LineSeriesOption => ({ type: 'line', color, symbol: 'rect', symbolSize: [9, 2], lineStyle: { width: 1.5 }, data: [[workers, least], [workers, most]] })),
  ]
}
