import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'

export const deployFolder = path.join(import.meta.dirname, '../../../deploy')

/** By variable: the dashboard works with whatever Prometheus the reader has. */
const dataSource = z.object({ type: z.literal('prometheus'), uid: z.literal('${datasource}') })

const gridPos = z.object({ x: z.int().min(0).max(23), y: z.int().min(0), w: z.int().min(1).max(24), h: z.int().min(1) }).refine(({ x, w }) => x + w <= 24, 'wider than the grid')

const target = z.object({
  refId: z.string().regex(/^[A-Z]$/),
  datasource: dataSource,
  expr: z.string().min(1),
  legendFormat: z.string().min(1),
})

const row = z.object({ type: z.literal('row'), id: z.int().positive(), title: z.string().min(1), gridPos, panels: z.tuple([]) })

const drawn = z.object({
  type: z.enum(['timeseries', 'stat']),
  id: z.int().positive(),
  title: z.string().min(1),
  datasource: dataSource,
  gridPos,
  fieldConfig: z.object({
    defaults: z.object({ unit: z.enum(['none', 'short', 'percentunit', 's', 'binBps']) }),
    overrides: z.array(z.object({ matcher: z.object({ id: z.literal('byName'), options: z.string() }), properties: z.array(z.object({ id: z.string(), value: z.unknown() })) })),
  }),
  options: z.record(z.string(), z.unknown()),
  targets: z.array(target).min(1),
})

const chooseDataSource = z.object({ name: z.literal('datasource'), type: z.literal('datasource'), query: z.literal('prometheus') })

const chooseInstance = z.object({
  name: z.string(),
  type: z.literal('query'),
  datasource: dataSource,
  multi: z.literal(true),
  includeAll: z.literal(true),
  query: z.object({ query: z.string().regex(/^label_values\(\w+, \w+\)$/) }),
})

/** What Grafana needs of a dashboard's JSON; names and meanings as in grafana.com/docs, "Dashboard JSON model". */
const dashboardSchema = z.object({
  uid: z.string().regex(/^[\w-]{1,40}$/),
  id: z.null(),
  title: z.string().min(1),
  /** 41 and 42 are those of Grafana 12 and 13. An older Grafana takes a newer one, and leaves out what it does not know. */
  schemaVersion: z.int().min(41).max(42),
  time: z.object({ from: z.string(), to: z.literal('now') }),
  templating: z.object({ list: z.array(z.discriminatedUnion('type', [chooseDataSource, chooseInstance])) }),
  panels: z.array(z.discriminatedUnion('type', [row, drawn])).min(1),
})

export type Dashboard = z.infer<typeof dashboardSchema>
export type Panel = z.infer<typeof drawn>

/** The dashboard "Herd training". @throws when Grafana could not show it. */
export function readDashboard(): Dashboard {
  return dashboardSchema.parse(JSON.parse(readFileSync(path.join(deployFolder, 'grafana/dashboards/herd-training.json'), 'utf8')))
}

/** The panels that show something: all but the headings. */
export function panelsOf(dashboard: Dashboard): Panel[] {
  return dashboard.panels.filter((panel) => panel.type !== 'row')
}

/** The variables that are filled from Prometheus: `label_values(metric, label)`. */
export function instanceVariables(dashboard: Dashboard): { name: string; metric: string; label: string }[] {
  return dashboard.templating.list
    .filter((variable) => variable.type === 'query')
    .map((variable) => {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(variable.query.query) ?? []
      return { name: variable.name, metric, label }
    })
}
