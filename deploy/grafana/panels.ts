import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge'
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as table from '@grafana/grafana-foundation-sdk/table'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'

/** By variable: the dashboards work with whatever Prometheus the reader has. */
export const DATA_SOURCE: common.DataSourceRef = { type: 'prometheus', uid: '${datasource}' }

/** Columns of Grafana's grid. */
const COLUMNS = 24

/** What a panel asks. */
export interface Query {
  expr: string
  /** With {{label}} for the values of labels. */
  legend: string
  /** A colour of Grafana's palette, where it means something; else the palette's next one. */
  colour?: string
}

interface PanelText {
  title: string
  /** What it shows, and what to make of it. */
  description: string
  /** Grafana's id of the unit, e.g. "s". */
  unit: string
  /** Columns of 24, and rows of some 30 pixels. */
  width: number
  height?: number
}

export interface CurvePanel extends PanelText {
  queries: Query[]
  min?: number
  max?: number
  /** Series lie on each other, and add up. */
  stacked?: boolean
  logarithmic?: boolean
}

interface Step {
  colour: string
  /** From this value on; the first one from the least. */
  from: number | null
}

export interface NumberPanel extends PanelText {
  queries: Query[]
  decimals?: number
  steps?: Step[]
}

export interface TablePanel extends PanelText {
  queries: Query[]
  /** How the answers become one table. */
  transformations: dashboard.DataTransformerConfig[]
  overrides?: { column: string; properties: dashboard.DynamicConfigValue[] }[]
}

/** Lays panels out from left to right and numbers them, so that no two overlap or share an id. */
export class Board {
  readonly #builder: dashboard.DashboardBuilder
  #id = 0
  #x = 0
  #y = 0
  #lineHeight = 0

  constructor(builder: dashboard.DashboardBuilder) {
    this.#builder = builder
  }

  row(title: string): void {
    this.#break()
    this.#builder.withRow(new dashboard.RowBuilder(title).id(++this.#id).gridPos({ x: 0, y: this.#y, w: COLUMNS, h: 1 }))
    this.#y += 1
  }

  curves({ queries, min, max, stacked = false, logarithmic = false, ...text }: CurvePanel): void {
    const panel = new timeseries.PanelBuilder()
      .lineWidth(stacked ? 1 : 2)
      .fillOpacity(stacked ? 40 : 0)
      .showPoints(common.VisibilityMode.Never)
      .spanNulls(false)
      .legend(new common.VizLegendOptionsBuilder().displayMode(common.LegendDisplayMode.Table).placement(common.LegendPlacement.Bottom).showLegend(true).calcs(['lastNotNull']))
      .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending))
    if (stacked) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'))
    if (logarithmic) panel.scaleDistribution(new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(10))
    if (min !== undefined) panel.min(min)
    if (max !== undefined) panel.max(max)
    for (const { legend, colour } of queries) if (colour !== undefined) panel.overrideByName(legend, [{ id: 'color', value: { mode: 'fixed', fixedColor: colour } }])
    this.#place(panel, text, queries, 8, 'range')
  }

  numbers({ queries, decimals, steps = [{ colour: 'text', from: null }], ...text }: NumberPanel): void {
    const panel = new stat.PanelBuilder()
      .colorMode(common.BigValueColorMode.Value)
      .graphMode(common.BigValueGraphMode.Area)
      .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
      .thresholds(thresholds(steps))
    if (decimals !== undefined) panel.decimals(decimals)
    this.#place(panel, text, queries, 4, 'range')
  }

  bars({ queries, decimals, steps = [{ colour: 'blue', from: null }], ...text }: NumberPanel): void {
    const panel = new bargauge.PanelBuilder()
      .orientation(common.VizOrientation.Horizontal)
      .displayMode(common.BarGaugeDisplayMode.Gradient)
      .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
      .thresholds(thresholds(steps))
      .min(0)
    if (decimals !== undefined) panel.decimals(decimals)
    this.#place(panel, text, queries, 8, 'now')
  }

  table({ queries, transformations, overrides = [], ...text }: TablePanel): void {
    const panel = new table.PanelBuilder().transformations(transformations)
    for (const { column, properties } of overrides) panel.overrideByName(column, properties)
    this.#place(panel, text, queries, 10, 'rows')
  }

  #place(panel: PanelBuilder, { title, description, unit, width, height }: PanelText, queries: readonly Query[], usualHeight: number, answer: Answer): void {
    const h = height ?? usualHeight
    if (this.#x + width > COLUMNS) this.#break()
    panel.id(++this.#id).title(title).description(description).unit(unit).datasource(DATA_SOURCE).gridPos({ x: this.#x, y: this.#y, w: width, h })
    queries.forEach((query, index) => panel.withTarget(targetOf(query, String.fromCharCode('A'.charCodeAt(0) + index), answer)))
    this.#builder.withPanel(panel)
    this.#x += width
    this.#lineHeight = Math.max(this.#lineHeight, h)
  }

  #break(): void {
    this.#y += this.#lineHeight
    this.#x = 0
    this.#lineHeight = 0
  }
}

/** A series each over the time that is shown; a series each at its end; or one table, whose rows are series and whose columns their labels. */
type Answer = 'range' | 'now' | 'rows'

/** What the panels' builders have in common. */
interface PanelBuilder extends Builder<dashboard.Panel> {
  id(id: number): this
  title(title: string): this
  description(description: string): this
  unit(unit: string): this
  datasource(datasource: common.DataSourceRef): this
  gridPos(gridPos: dashboard.GridPos): this
  withTarget(target: Builder<Dataquery>): this
}

function targetOf({ expr, legend }: Query, refId: string, answer: Answer): Builder<Dataquery> {
  const query = new prometheus.DataqueryBuilder().refId(refId).datasource(DATA_SOURCE).expr(expr).legendFormat(legend).editorMode(prometheus.QueryEditorMode.Code)
  if (answer === 'range') return query.range()
  return query.instant().format(answer === 'rows' ? prometheus.PromQueryFormat.Table : prometheus.PromQueryFormat.TimeSeries)
}

function thresholds(steps: readonly Step[]): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps.map(({ colour, from }) => ({ color: colour, value: from })))
}
