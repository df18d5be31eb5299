import type { HeatmapSeriesOption } from 'echarts'
import { mostConfused, partOf, resultsByClass, type Confused } from '../evaluation/confusion.ts'
import { renderChart, title } from './chart.ts'
import { INK, MUTED } from './colours.ts'
import { CHARACTER_WIDTH, printable, shorten } from './text.ts'

/** Colour scale of a cell, from none to all of a class's images. */
const COLOURS = ['#f7f9fb', '#c9dcec', '#7fb0d3', '#3379ae', '#0d3b66']
/** Share of a row's images from which a cell is so dark that its digits are white. */
const DARK_FROM = 0.55
/** Least width of the matrix in pixels, however few the classes are. */
const SMALLEST_SIDE = 360
const LONGEST_NAME = 28

/**
 * Most classes in the picture. A larger one could not be read, and drawing takes the square of them: a quarter of a second for this many.
 */
const MOST_CLASSES = 40

/**
 * Draws the confusion matrix: one row for each true class, one column for each predicted one; of many classes, those that are confused most. Cells
 * show counts; their colour is the share of the images of the row's class, so that small classes are as readable as large ones.
 * @returns SVG, large enough for the names and counts to be read
 */
export function confusionPlot(confused: Confused, allNames: readonly string[]): string {
  const results = resultsByClass(confused, allNames.length)
  const total = results.reduce((sum, { images }) => sum + images, 0)
  const right = results.reduce((sum, { correct }) => sum + correct, 0)
  const shown = allNames.length <= MOST_CLASSES ? [...allNames.keys()] : mostConfused(confused, allNames.length, MOST_CLASSES)
  const matrix = partOf(confused, shown)
  const classNames = shown.map((label) => allNames[label])
  const count = classNames.length
  const digits = String(matrix.flat().reduce((most, value) => Math.max(most, value), 0)).length
  // Cells shrink as the number of classes grows, but not below the width of a count.
  const font = count <= 12 ? 13 : count <= 25 ? 11 : 9
  const cell = Math.max(count <= 12 ? 52 : count <= 25 ? 34 : 22, Math.floor(SMALLEST_SIDE / count), Math.ceil(digits * font * CHARACTER_WIDTH) + 6)
  const labelFont = Math.max(font, 10)
  const names = classNames.map((name) => shorten(printable(name), LONGEST_NAME))
  const labelWidth = Math.ceil(names.reduce((longest, { length }) => Math.max(longest, length), 0) * labelFont * CHARACTER_WIDTH)
  const left = labelWidth + 60
  const slanted = labelWidth > cell - 8
  const bottom = (slanted ? Math.ceil(labelWidth * Math.SQRT1_2) : labelFont) + 60
  const top = 84
  const side = cell * count

  const data = matrix.flatMap((row, truth) => {
    const { images } = results[shown[truth]]
    return row.map((value, predicted): NonNullable<HeatmapSeriesOption['data']>[number] => {
      const share = images === 0 ? 0 : value / images
      return { value: [predicted, truth, share, value], label: { color: share >= DARK_FROM ? '#ffffff' : INK } }
    })
  })
  const axis = {
    type: 'category' as const,
    data: names,
    axisTick: { show: false },
    axisLine: { show: false },
    nameLocation: 'middle' as const,
    nameTextStyle: { color: MUTED, fontSize: 13 },
  }
  const axisLabel = { color: INK, fontSize: labelFont, interval: 0 }
  return renderChart(
    {
      title: title(count === allNames.length ? 'Confusion matrix' : `Confusion matrix of the ${count} most confused of ${allNames.length} classes`, total === 0 ? 'no test images' : `${right} of ${total} test images classified correctly (${((100 * right) / total).toFixed(1)} %)`),
      grid: { left, top, width: side, height: side },
      xAxis: { ...axis, name: 'predicted class', nameGap: bottom - 36, axisLabel: { ...axisLabel, rotate: slanted ? 45 : 0 } },
      yAxis: { ...axis, name: 'true class', nameGap: left - 28, inverse: true, axisLabel },
      visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: COLOURS } },
      series: [{ type: 'heatmap', data, itemStyle: { borderColor: '#ffffff', borderWidth: 1 }, label: { show: true, fontSize: font, formatter: ({ value }) => ((value as number[])[3] === 0 ? '' : String((value as number[])[3])) } }],
    },
    { width: Math.max(left + side + 40, 480), height: top + side + bottom },
  )
}
