import * as echarts from 'echarts'
import { INK, MUTED } from './colours.ts'
import { FONT_STACK } from './fonts.ts'

export interface PictureSize {
  width: number
  height: number
}

/** Draws an ECharts option on the server as SVG on white, without animation. */
export function renderChart(option: echarts.EChartsOption, { width, height }: PictureSize): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
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
