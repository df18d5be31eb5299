import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { deployFolder, instanceVariables, panelsOf, readDashboard } from './dashboard.ts'
import { describeMetrics, filledRegistries } from './registries.ts'

const dashboard = readDashboard()
const panels = panelsOf(dashboard)

/** Series that Prometheus stores for a metric. */
function seriesOf({ name, type }: { name: string; type: string }): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

async function allSeries(): Promise<Set<string>> {
  const { coordinator, worker } = filledRegistries()
  return new Set([...(await describeMetrics(coordinator)), ...(await describeMetrics(worker))].flatMap(seriesOf))
}

test('ids of panels, and of the queries in a panel, are unique', () => {
  const ids = dashboard.panels.map((panel) => panel.id)
  assert.equal(new Set(ids).size, ids.length)
  for (const { title, targets } of panels) {
    assert.equal(new Set(targets.map((target) => target.refId)).size, targets.length, title)
  }
})

test('no two panels overlap', () => {
  const cells = new Map<string, string>()
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        assert.equal(cells.get(`${column},${line}`), undefined, `${title} at column ${column}, line ${line}`)
        cells.set(`${column},${line}`, title)
      }
    }
  }
})

test('a colour is given only to a series that the panel has', () => {
  for (const { title, targets, fieldConfig } of panels) {
    const legends = targets.map((target) => target.legendFormat)
    for (const { matcher } of fieldConfig.overrides) assert.ok(legends.includes(matcher.options), `${title}: ${matcher.options}`)
  }
})

test('queries ask only for metrics that the daemons have', async () => {
  const known = await allSeries()
  const asked = [
    ...panels.flatMap((panel) => panel.targets.flatMap((target) => target.expr.match(/\bherd_\w+/g) ?? [])),
    ...instanceVariables(dashboard).map((variable) => variable.metric),
  ]
  for (const name of asked) assert.ok(known.has(name), `${name} does not exist`)
})

test('every query has metrics of Herd, of the chosen instances', () => {
  const variables = instanceVariables(dashboard).map((variable) => variable.name)
  assert.deepEqual(variables, ['coordinator', 'worker'])
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const selectors = expr.match(/\bherd_\w+\{[^}]*\}/g) ?? []
      assert.notEqual(selectors.length, 0, `${title}: ${expr}`)
      for (const selector of selectors) {
        assert.match(selector, selector.startsWith('herd_worker_') ? /instance=~"\$worker"/ : /instance=~"\$coordinator"/, title)
      }
    }
  }
})

test('the dashboard shows what a training is watched by', () => {
  const queries = panels.flatMap((panel) => panel.targets.map((target) => target.expr)).join('\n')
  for (const metric of [
    'herd_loss', 'herd_accuracy_ratio', 'herd_images_per_second', 'herd_images_total', 'herd_workers', 'herd_step_duration_seconds_bucket',
    'herd_received_bytes_total', 'herd_sent_bytes_total', 'herd_units_dealt_again_total',
    'herd_worker_images_total', 'herd_worker_compute_seconds_total', 'herd_worker_weights_wait_seconds_total', 'herd_worker_input_wait_seconds_total',
  ]) assert.match(queries, new RegExp(`\\b${metric}\\b`))
  for (const phase of ['train_step', 'train', 'test']) assert.ok(queries.includes(`phase="${phase}"`), phase)
})

test("Grafana averages over the interval at which Prometheus scrapes", () => {
  const scraped = /^ {2}scrape_interval: (\d+s)$/m.exec(readFileSync(path.join(deployFolder, 'prometheus/prometheus.yml'), 'utf8'))
  const assumed = /^ {6}timeInterval: (\d+s)$/m.exec(readFileSync(path.join(deployFolder, 'grafana/provisioning/datasources/prometheus.yaml'), 'utf8'))
  assert.ok(scraped !== null && assumed !== null)
  assert.equal(assumed[1], scraped[1])
})
