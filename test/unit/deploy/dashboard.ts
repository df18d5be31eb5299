import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { ROOT } from '../../../shared/kit/project.ts'

export const deployFolder = path.join(ROOT, 'deploy')
export const dashboardFiles = ['herd-training.json', 'herd-cluster.json'] as const

/** Data source by variable, so that the dashboards work with any Prometheus. */
const dataSource = z.object({ type: z.literal('prometheus'), uid: z.literal('${datasource}') })

const gridPos = z.object({ x: z.int().min(0).max(23), y: z.int().min(0), w: z.int().min(1).max(24), h: z.int().min(1) }).refine(({ x, w }) => x + w <= 24, 'wider than the grid')

const target = z.object({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: dataSource,
  expr: z.string().min(1),
  legendFormat: z.string().min(1),
  instant: z.boolean().optional(),
  range: z.boolean().optional(),
  format: z.enum(['table', 'time_series']).optional(),
}).refine(({ instant, range }) => (instant === true) !== (range === true), 'asks either for a moment or for a range')

const row = z.object({ type: z.literal('row'), id: z.int().positive(), title: z.string().min(1), gridPos, panels: z.tuple([]) })

const drawn = z.object({
  type: z.enum(['timeseries', 'stat', 'table', 'bargauge']),
  id: z.int().positive(),
  title: z.string().min(1),
  description: z.string().min(10),
  datasource: dataSource,
  gridPos,
  fieldConfig: z.object({
    /** Ids of units in Grafana. */
    defaults: z.object({ unit: z.enum(['none', 'percentunit', 's', 'bytes', 'binBps', 'sci']) }),
    overrides: z.array(z.object({ matcher: z.object({ id: z.literal('byName'), options: z.string() }), properties: z.array(z.object({ id: z.string(), value: z.unknown() })).min(1) })),
  }),
  options: z.record(z.string(), z.unknown()),
  transformations: z.array(z.object({ id: z.enum(['merge', 'organize', 'groupingToMatrix']), options: z.record(z.string(), z.unknown()) })).optional(),
  targets: z.array(target).min(1),
})

const chooseDataSource = z.object({ name: z.literal('datasource'), type: z.literal('datasource'), query: z.literal('prometheus') })

const choose = z.object({
  name: z.string(),
  type: z.literal('query'),
  datasource: dataSource,
  multi: z.literal(true),
  includeAll: z.literal(true),
  query: z.object({ query: z.string().regex(/^label_values\(.+, \w+\)$/) }),
})

const annotation = z.object({ name: z.string().min(1), datasource: dataSource, enable: z.boolean(), iconColor: z.string().min(1), expr: z.string().min(1), titleFormat: z.string().min(1) })

/** The parts of a dashboard's JSON that Grafana needs; names and meanings as in grafana.com/docs, "Dashboard JSON model". */
const dashboardSchema = z.object({
  uid: z.string().regex(/^[\w-]{1,40}$/),
  id: z.null(),
  title: z.string().min(1),
  /** Version of the schema: 41 for Grafana 12, 42 for 13. An older Grafana accepts a newer version, and ignores fields that it does not know. */
  schemaVersion: z.int().min(41).max(42),
  time: z.object({ from: z.string(), to: z.literal('now') }),
  links: z.array(z.object({ title: z.string().min(1), type: z.literal('link'), url: z.string().regex(/^\/d\/[\w-]+$/) })),
  templating: z.object({ list: z.array(z.discriminatedUnion('type', [chooseDataSource, choose])) }),
  annotations: z.object({ list: z.array(annotation).min(1) }),
  panels: z.array(z.discriminatedUnion('type', [row, drawn])).min(1),
})

export type Dashboard = z.infer<typeof dashboardSchema>
export type Panel = z.infer<typeof drawn>

/** Reads a dashboard. @throws ZodError if Grafana could not show it. */
export function readDashboard(file: (typeof dashboardFiles)[number]): Dashboard {
  return dashboardSchema.parse(JSON.parse(readFileSync(path.join(deployFolder, 'grafana/dashboards', file), 'utf8')))
}

/** The panels that show data: all but the headings. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.filter((panel) => panel.type !== 'row')
}

/** All queries of a dashboard to Prometheus, with the panel or annotation that asks. */
export function queriesOf(dashboard: Dashboard): { of: string; expr: string; instant: boolean }[] {
  return [
    ...panelsOf(dashboard).flatMap(({ title, targets }) => targets.map(({ expr, instant = false }) => ({ of: title, expr, instant }))),
    ...dashboard.annotations.list.map(({ name, expr }) => ({ of: `annotation ${name}`, expr, instant: false })),
  ]
}

/** The variables that are filled from Prometheus, in their order: `label_values(selector, label)`. */
export function variablesOf(dashboard: Dashboard): { name: string; selector: string; label: string }[] {
  return dashboard.templating.list
    .filter((variable) => variable.type === 'query')
    .map((variable) => {
      const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(variable.query.query) ?? []
      return { name: variable.name, selector, label }
    })
}
