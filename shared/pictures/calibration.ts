import type { Calibration } from '../evaluation/calibration.ts'
import { renderChart, title } from './chart.ts'
import { FAINT, INK, MUTED } from './colours.ts'

const SIZE = { width: 620, height: 560 }
const BAR_COLOUR = '#3379ae'
const COUNT_COLOUR = '#8a97a6'

/**
 * Draws the reliability diagram: for each range of probabilities the share of its predictions that are right, beside the line on which both are equal;
 * below, how many predictions each range has.
 * @returns SVG
 */
export function calibrationPlot({ bins, images, error }: Calibration): string {
  const name = { nameLocation: 'middle' as const, nameTextStyle: { color: MUTED, fontSize: 13 } }
  const axisLabel = { color: MUTED, fontSize: 12 }
  const percent = (value: number): string => `${Math.round(100 * value)} %`
  const share = { type: 'value' as const, min: 0, max: 1, interval: 0.25, axisLabel: { ...axisLabel, formatter: percent }, splitLine: { lineStyle: { color: FAINT } } }
  const category = { type: 'category' as const, data: bins.map(({ to }) => percent(to)), show: false }
  const filled = bins.filter((bin) => bin.images > 0)
  return renderChart(
    {
      title: title('Calibration', images === 0 ? 'no test image has a probability' : `expected calibration error ${(100 * error).toFixed(1)} % over ${images} test images`),
      grid: [{ left: 84, right: 32, top: 84, height: 300 }, { left: 84, right: 32, top: 414, height: 70 }],
      xAxis: [
        { ...category, gridIndex: 0 },
        { ...share, gridIndex: 0, position: 'bottom', splitLine: { show: false }, axisLine: { lineStyle: { color: MUTED }, onZero: false } },
        { ...category, gridIndex: 1 },
        { ...share, gridIndex: 1, position: 'bottom', name: 'probability of the predicted class', nameGap: 32, ...name, splitLine: { show: false }, axisLine: { lineStyle: { color: MUTED }, onZero: false } },
      ],
      yAxis: [
        { ...share, gridIndex: 0, name: 'predictions that are right', nameGap: 56, ...name },
        { type: 'value', gridIndex: 1, name: 'images', nameGap: 56, ...name, min: 0, minInterval: 1, splitNumber: 2, axisLabel, splitLine: { lineStyle: { color: FAINT } } },
      ],
      series: [
        { type: 'bar', xAxisIndex: 0, yAxisIndex: 0, barWidth: '92%', color: BAR_COLOUR, data: bins.map(({ accuracy }) => accuracy) },
        { type: 'line', xAxisIndex: 1, yAxisIndex: 0, color: INK, showSymbol: false, lineStyle: { type: 'dashed', width: 1.5 }, data: [[0, 0], [1, 1]] },
        { type: 'scatter', xAxisIndex: 1, yAxisIndex: 0, color: '#d1495b', symbolSize: 7, data: filled.map(({ confidence, accuracy }) => [confidence, accuracy]) },
        { type: 'bar', xAxisIndex: 2, yAxisIndex: 1, barWidth: '92%', color: COUNT_COLOUR, data: bins.map((bin) => bin.images) },
      ],
    },
    SIZE,
  )
}
