import type { LaneStrip } from '../view.ts'
import { h, KeyedList, setAttributes, setText, type Row } from './dom.ts'
import { integer, percent, ranges } from './format.ts'
import { onThemeChange, readTheme, seriesClass, seriesColour } from './theme.ts'
import { WorkerColours } from './worker_colours.ts'

/** Size of a cell, in pixels, with room for the worker's number. */
const CELL_WIDTH = 22
const CELL_HEIGHT = 18
/** Greatest height of all lanes together: with very many lanes, cells are lower and show no number. */
const HEIGHT = 320
const GAP = 1
const LABELS = 34

interface LegendEntry {
  name: string
  index: number
  share: string
}

/** A picture of which worker computed which lane of the last steps: a column for each step, a row for each lane, a colour and a number for each worker. */
export class LanesStrip {
  readonly element: HTMLElement
  readonly #canvas = h('canvas', { role: 'img' })
  readonly #frame = h('div', { class: 'strip' }, this.#canvas)
  readonly #legend: KeyedList<LegendEntry>
  readonly #newest = h('p', { class: 'note' })
  #strips: readonly LaneStrip[] = []
  #colours = new WorkerColours()

  constructor() {
    const legend = h('ul', { class: 'legend' })
    this.#legend = new KeyedList(legend, ({ name }) => name, legendRow)
    this.element = h('figure', { class: 'lanes' }, h('figcaption', {}, h('h3', {}, 'Who computed which lane'), legend), this.#frame, this.#newest)
    new ResizeObserver(() => this.#draw()).observe(this.#frame)
    onThemeChange(() => this.#draw())
  }

  update(strips: readonly LaneStrip[], colours: WorkerColours): void {
    this.#strips = strips
    this.#colours = colours
    this.element.hidden = strips.length === 0
    const newest = strips.at(-1)
    if (newest === undefined) return
    const shares = sharesOf(strips).map(([name, share]) => ({ name, index: colours.indexOf(name), share: percent(share, 0) }))
    this.#legend.update(shares.sort((a, b) => a.index - b.index))
    const text = `Step ${integer(newest.step)}: ${holders(newest)}.`
    setText(this.#newest, text)
    setAttributes(this.#canvas, { 'aria-label': `Lanes of the last ${strips.length} steps by worker. ${text}`, 'data-steps': strips.length })
    this.#draw()
  }

  #draw(): void {
    const { clientWidth } = this.#frame
    const lanes = this.#strips.at(-1)?.computedBy.length ?? 0
    const context = this.#canvas.getContext('2d')
    if (context === null || lanes === 0 || clientWidth === 0) return
    const theme = readTheme()
    const cellHeight = Math.max(3, Math.min(CELL_HEIGHT, Math.floor(HEIGHT / lanes)))
    const columns = Math.max(1, Math.min(Math.floor((clientWidth - LABELS) / CELL_WIDTH), this.#strips.length))
    const cellWidth = Math.min((clientWidth - LABELS) / columns, 2 * CELL_WIDTH)
    const [width, height] = [clientWidth, lanes * cellHeight + 18]
    this.#fit(context, width, height)
    context.font = `11px ${theme.font}`
    context.textBaseline = 'middle'
    context.textAlign = 'right'
    context.fillStyle = theme.muted
    const everyLane = Math.ceil(14 / cellHeight)
    for (let lane = 0; lane < lanes; lane += everyLane) context.fillText(String(lane), LABELS - 8, (lane + 0.5) * cellHeight)
    context.textAlign = 'center'
    const shown = this.#strips.slice(-columns)
    shown.forEach(({ computedBy }, column) => {
      const x = LABELS + column * cellWidth
      computedBy.forEach((name, lane) => {
        const index = this.#colours.indexOf(name)
        context.fillStyle = seriesColour(theme, index)
        context.fillRect(x, lane * cellHeight, cellWidth - GAP, cellHeight - GAP)
        if (cellHeight < 12) return
        context.fillStyle = theme.surface
        context.fillText(String(index + 1), x + (cellWidth - GAP) / 2, (lane + 0.5) * cellHeight)
      })
    })
    this.#writeSteps(context, shown, cellWidth, lanes * cellHeight + 10, theme.muted)
  }

  /** Writes the numbers of the last step and, if there is room for both, of the first. */
  #writeSteps(context: CanvasRenderingContext2D, shown: readonly LaneStrip[], cellWidth: number, y: number, colour: string): void {
    const right = LABELS + shown.length * cellWidth
    context.fillStyle = colour
    context.textAlign = 'right'
    context.fillText(`step ${shown[shown.length - 1].step}`, Math.max(right - GAP, LABELS + 70), y)
    if (right < LABELS + 160) return
    context.textAlign = 'left'
    context.fillText(`step ${shown[0].step}`, LABELS, y)
  }

  /** Clears the canvas, and fits its resolution to the screen's, so that it is sharp if a pixel of CSS is several of the screen. */
  #fit(context: CanvasRenderingContext2D, width: number, height: number): void {
    const scale = window.devicePixelRatio
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale)
      this.#canvas.height = Math.round(height * scale)
      this.#canvas.style.width = `${width}px`
      this.#canvas.style.height = `${height}px`
    }
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, width, height)
  }
}

/** The workers of a step with their lanes: "a computed lanes 0–3; b computed lanes 4–7". */
function holders({ computedBy }: LaneStrip): string {
  const lanesOf = new Map<string, number[]>()
  computedBy.forEach((name, lane) => lanesOf.set(name, [...(lanesOf.get(name) ?? []), lane]))
  return [...lanesOf].map(([name, lanes]) => `${name} computed ${lanes.length === 1 ? 'lane' : 'lanes'} ${ranges(lanes)}`).join('; ')
}

function sharesOf(strips: readonly LaneStrip[]): [name: string, share: number][] {
  const counts = new Map<string, number>()
  for (const { computedBy } of strips) for (const name of computedBy) counts.set(name, (counts.get(name) ?? 0) + 1)
  const all = [...counts.values()].reduce((a, b) => a + b, 0)
  return [...counts].map(([name, count]) => [name, count / all])
}

function legendRow({ name }: LegendEntry): Row<LegendEntry> {
  const share = h('span', { class: 'value' })
  const mark = h('span', { 'aria-hidden': 'true' })
  return {
    element: h('li', {}, mark, h('span', { class: 'label' }, name), ' ', share),
    update: (entry) => {
      setText(mark, String(entry.index + 1))
      setAttributes(mark, { class: `worker-mark ${seriesClass(entry.index)}` })
      setText(share, entry.share)
    },
  }
}
