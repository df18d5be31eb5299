import { createRequire } from 'node:module'
import type * as echarts from 'echarts'
import { INK, MUTED } from './colours.ts'
import { FONT_STACK } from './fonts.ts'

export interface PictureSize {
  width: number
  height: number
}

const require = createRequire(import.meta.url)
/** Loading it takes a large part of a program's start, and a coordinator that was started again has workers waiting: at the first picture, then. */
const library = (): typeof echarts => require('echarts') as typeof echarts

/** Draws an ECharts option on the server as SVG on white, without animation. */
export function renderChart(option: echarts.EChartsOption, { width, height }: PictureSize): string {
  const chart = library().init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    chart.setOption({ animation: false, backgroundColor: '#ffffff', textStyle: { fontFamily: FONT_STACK, color: INK }, ...option })
    return chart.renderToSVGString()
  } finally {
    chart.dispose()
  }
}

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
