import uPlot from 'uplot'
import { h, KeyedList, setAttributes, setText, svg, type Row } from './dom.ts'
import { dashOf, onThemeChange, readTheme, seriesClass, seriesColour } from './theme.ts'

export interface Curve {
  label: string
  /** Index of the colour among those of the theme. */
  colour: number
  /** Index of the dash pattern. */
  dash: number
  /** True for a thin line behind the others, for figures that scatter. */
  faint: boolean
  /** True for a mark at each value, if there are few. */
  marks: boolean
  /** Values, one for each x; NaN and null leave a gap. */
  values: (number | null)[]
}

/** Curves with the same x values. */
export interface Table {
  x: number[]
  curves: Curve[]
}

export interface ChartOptions {
  title: string
  format(value: number): string
  /** Formats the ticks of the y axis; undefined for plain numbers. */
  ticks?: (value: number) => string
  /** Range of the y axis for values from `min` to `max`, which are both null while there are no values. */
  range(min: number | null, max: number | null): [number, number]
}

const HEIGHT = 210
const MARKS_UP_TO = 60
/** Number of points from which a chart is drawn at most once a second: another point moves nothing by a pixel, and drawing takes long. */
const MANY_POINTS = 1000
const MANY_POINTS_MS = 1000

/** A chart of growing curves, with a legend of the newest values, or of those under the pointer. */
export class Chart {
  readonly element: HTMLElement
  readonly #options: ChartOptions
  readonly #plot = h('div', { class: 'plot', role: 'img' })
  readonly #legend: KeyedList<LegendEntry>
  #uplot: uPlot | undefined
  #shape = ''
  #tables: Table[] = []
  #curves: Curve[] = []
  #drawnAt = 0
  #timer: number | undefined
  #data: uPlot.AlignedData = [[]]
  #xName = 'step'

  constructor(options: ChartOptions) {
    this.#options = options
    const legend = h('ul', { class: 'legend' })
    this.#legend = new KeyedList(legend, ({ curve }) => `${curve.label} ${curve.colour} ${curve.dash} ${curve.faint}`, legendRow)
    this.element = h('figure', { class: 'chart' }, h('figcaption', {}, h('h3', {}, options.title), legend), this.#plot)
    new ResizeObserver(() => this.#resize()).observe(this.#plot)
    onThemeChange(() => this.#rebuild())
  }

  update(tables: Table[], xName: string): void {
    this.#tables = tables
    this.#xName = xName
    if (this.#timer !== undefined) return
    const wait = this.#data[0].length < MANY_POINTS ? 0 : this.#drawnAt + MANY_POINTS_MS - performance.now()
    if (wait <= 0) this.#draw()
    else this.#timer = window.setTimeout(() => this.#draw(), wait)
  }

  #draw(): void {
    const tables = this.#tables
    this.#timer = undefined
    this.#drawnAt = performance.now()
    this.#curves = tables.flatMap(({ curves }) => curves)
    this.#data = tables.length === 0 ? [[]] : uPlot.join(tables.map(({ x, curves }): uPlot.AlignedData => [x, ...curves.map(({ values }) => values.map(knownOrGap))]))
    const shape = JSON.stringify([this.#xName, this.#curves.map(({ label, colour, dash, faint, marks }) => [label, colour, dash, faint, marks])])
    if (shape !== this.#shape || this.#uplot === undefined) this.#rebuild()
    else this.#uplot.setData(this.#data)
    this.#shape = shape
    this.#tell(null)
  }

  #rebuild(): void {
    this.#uplot?.destroy()
    const theme = readTheme()
    const axis = { stroke: theme.muted, font: `12px ${theme.font}`, grid: { stroke: theme.line, width: 1 }, ticks: { stroke: theme.line, width: 1, size: 4 } }
    const { ticks, range } = this.#options
    const series = this.#curves.map(({ colour, dash, faint, marks }): uPlot.Series => ({
      stroke: seriesColour(theme, colour),
      alpha: faint ? 0.45 : 1,
      width: faint ? 1 : 2,
      dash: dashOf(dash),
      spanGaps: false,
      points: { show: marks ? ({ data }, i) => known(data[i]) <= MARKS_UP_TO : false, size: 6, fill: theme.surface, stroke: seriesColour(theme, colour), width: 2 },
    }))
    const options: uPlot.Options = {
      width: Math.max(this.#plot.clientWidth, 100),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: 'herd' }, points: { size: 7 } },
      scales: { x: { time: false }, y: { range: (_, min, max) => range(min as number | null, max as number | null) } },
      axes: [
        { ...axis, space: 60, size: 30, label: this.#xName, labelSize: 16, labelGap: 0, labelFont: axis.font },
        { ...axis, size: 56, ...(ticks === undefined ? {} : { values: (_, values) => values.map(ticks) }) },
      ],
      series: [{}, ...series],
      hooks: { setCursor: [({ cursor }) => this.#tell(cursor.idx ?? null)] },
    }
    this.#uplot = new uPlot(options, this.#data, this.#plot)
    // The element around the plot describes it to screen readers.
    this.#uplot.root.setAttribute('aria-hidden', 'true')
  }

  #resize(): void {
    const width = this.#plot.clientWidth
    if (width > 0 && width !== this.#uplot?.width) this.#uplot?.setSize({ width, height: HEIGHT })
  }

  /** Writes values into the legend. @param at an index of x; null for the newest values */
  #tell(at: number | null): void {
    const { format, title } = this.#options
    const [x] = this.#data
    const told = this.#curves.map((curve, i) => ({ curve, text: textAt(this.#data[i + 1], at ?? x.length - 1, format) }))
    this.#legend.update(told)
    if (at !== null) return
    const newest = x.at(-1)
    const text = newest === undefined ? 'No values yet.' : `Newest values, at ${this.#xName} ${x[x.length - 1]}: ${told.map(({ curve, text }) => `${curve.label} ${text}`).join(', ')}.`
    setAttributes(this.#plot, { 'aria-label': `${title}. ${text}`, 'data-points': x.length })
  }
}

function known(values: ArrayLike<number | null | undefined>): number {
  return Array.from(values).filter((value) => typeof value === 'number').length
}

function knownOrGap(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null
}

/** The value at an index, or the last one before it, since a curve need not have a value at each x. */
function textAt(values: ArrayLike<number | null | undefined>, index: number, format: (value: number) => string): string {
  for (let i = index; i >= 0; i--) {
    const value = values[i]
    if (typeof value === 'number') return format(value)
  }
  return '–'
}

interface LegendEntry {
  curve: Curve
  text: string
}

function legendRow({ curve }: LegendEntry): Row<LegendEntry> {
  const value = h('span', { class: 'value' })
  return {
    element: h('li', {}, lineSwatch(curve), h('span', { class: 'label' }, curve.label), ' ', value),
    update: ({ text }) => setText(value, text),
  }
}

/** A short piece of a curve's line, for a legend. */
export function lineSwatch({ colour, dash, faint, marks }: Pick<Curve, 'colour' | 'dash' | 'faint' | 'marks'>): SVGElement {
  const line = svg('line', { x1: 0, y1: 5, x2: 26, y2: 5, 'stroke-width': faint ? 1 : 2.5, 'stroke-dasharray': dashOf(dash).join(' ') })
  const mark = marks ? [svg('circle', { cx: 13, cy: 5, r: 3 })] : []
  return svg('svg', { class: `swatch ${seriesClass(colour)}`, viewBox: '0 0 26 10', width: 26, height: 10, 'aria-hidden': 'true' }, line, ...mark)
}
