import { createRequire } from 'node:module'
import type * as echarts from 'echarts'
import { INK, MUTED } from './colours.ts'
import { FONT_STACK } from './fonts.ts'

/** Size of a picture in CSS pixels. */
export interface PictureSize {
  width: number
  height: number
}

const require = createRequire(import.meta.url)
/**
 * The ECharts library, loaded when the first picture is drawn: loading takes a large part of a program's start, and after a restart of the
 * coordinator workers are waiting.
 */
const library = (): typeof echarts => require('echarts') as typeof echarts

/**
 * Draws an ECharts option on the server, on white and without animation.
 * @returns SVG
 */
export function renderChart(option: echarts.EChartsOption, { width, height }: PictureSize): string {
  const chart = library().init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption({ animation: false, backgroundColor: '#ffffff', textStyle: { fontFamily: FONT_STACK, color: INK }, ...option })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

/** Builds the title of a chart, with a smaller line below it. */
export function title(text: string, subtext: string): echarts.TitleComponentOption {
  return {
    text,
    subtext,
    left: 24,
    top: 16,
    itemGap: 6,
    textStyle: { fontSize: 18, fontWeight: 'bold', color: INK, fontFamily: FONT_STACK },
    subtextStyle: { fontSize: 12, color: MUTED, fontFamily: FONT_STACK },
  }
}
