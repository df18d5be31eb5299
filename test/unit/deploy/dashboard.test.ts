import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { dashboards } from '../../../deploy/grafana/build.ts'
import { dashboardFiles, deployFolder, panelsOf, queriesOf, readDashboard, variablesOf } from './dashboard.ts'
import { describeMetrics, filledRegistries } from './registries.ts'

/** Names of the series that Prometheus stores for a metric. */
function seriesOf({ name, type }: { name: string; type: string }): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

async function allSeries(): Promise<Set<string>> {
  const { coordinator, worker } = filledRegistries()
  return new Set([...(await describeMetrics(coordinator)), ...(await describeMetrics(worker))].flatMap(seriesOf))
}

for (const file of dashboardFiles) {
  const dashboard = readDashboard(file)
  const panels = panelsOf(dashboard)

  test(`${file}: the file is what its builders give (npm run build:dashboards)`, () => {
    assert.equal(readFileSync(path.join(deployFolder, 'grafana/dashboards', file), 'utf8'), dashboards().get(file))
  })

  test(`${file}: ids of panels, and of the queries in a panel, are unique`, () => {
    const ids = dashboard.panels.map((panel) => panel.id)
    assert.equal(new Set(ids).size, ids.length)
    for (const { title, targets } of panels) assert.equal(new Set(targets.map((target) => target.refId)).size, targets.length, title)
    assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
  })

  test(`${file}: no two panels overlap`, () => {
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

  test(`${file}: what is set for one series or column is set for one that the panel has`, () => {
    for (const { title, type, targets, transformations = [], fieldConfig } of panels) {
      const renamed = transformations.flatMap(({ options }) => Object.values((options['renameByName'] ?? {}) as Record<string, string>))
      const names = type === 'table' ? renamed : targets.map((target) => target.legendFormat)
      for (const { matcher } of fieldConfig.overrides) assert.ok(names.includes(matcher.options), `${title}: ${matcher.options}`)
    }
  })

  test(`${file}: a table asks for rows, and nothing else does`, () => {
    for (const { title, type, targets } of panels) for (const { format } of targets) assert.equal(format === 'table', type === 'table', title)
  })

  test(`${file}: queries ask only for metrics that the daemons have, of the chosen run and worker`, async () => {
    const known = await allSeries()
    for (const { of, expr } of queriesOf(dashboard)) {
      const selectors = expr.match(/\b(?:herd|process)_\w+(?:\{[^}]*\})?/g) ?? []
      assert.notEqual(selectors.length, 0, `${of}: ${expr}`)
      for (const selector of selectors) {
        const [name] = selector.split('{')
        assert.ok(known.has(name), `${of}: ${name} does not exist`)
        assert.match(selector, /\{run=~"\$run"/, `${of}: ${selector}`)
        if (name.startsWith('herd_worker_') || name.startsWith('process_')) assert.match(selector, /worker=~"\$worker"/, `${of}: ${selector}`)
      }
    }
    for (const { selector } of variablesOf(dashboard)) assert.ok(known.has(selector.split('{')[0]), selector)
  })

  test(`${file}: run and worker can be chosen`, () => {
    assert.deepEqual(variablesOf(dashboard).map(({ name, label }) => [name, label]), [['run', 'run'], ['worker', 'worker']])
  })

  test(`${file}: it leads to the other one`, () => {
    const others = dashboardFiles.filter((other) => other !== file).map((other) => `/d/${readDashboard(other).uid}`)
    assert.deepEqual(dashboard.links.map(({ url }) => url), others)
  })
}

test('the dashboards show what a training and a cluster are watched by', () => {
  const asked = (file: (typeof dashboardFiles)[number]): string => queriesOf(readDashboard(file)).map(({ expr }) => expr).join('\n')
  for (const metric of [
    'herd_loss', 'herd_accuracy_ratio', 'herd_class_accuracy_ratio', 'herd_confusion_images', 'herd_images_per_second', 'herd_images_total', 'herd_learning_rate', 'herd_gradient_norm',
    'herd_step_phase_seconds_total', 'herd_step_duration_seconds_bucket', 'herd_received_bytes_total', 'herd_checkpoint_last_success_timestamp_seconds', 'herd_events_total',
  ]) assert.match(asked('herd-training.json'), new RegExp(`\\b${metric}\\b`))
  for (const metric of [
    'herd_member_images_total', 'herd_member_lanes_total', 'herd_member_lane_seconds', 'herd_member_resident_memory_bytes', 'herd_worker_weights_wait_seconds_total', 'herd_worker_input_wait_seconds_total',
    'herd_worker_lane_duration_seconds_bucket', 'herd_workers_lost_total', 'herd_units_dealt_again_total', 'herd_units_taken_over_total', 'process_start_time_seconds', 'herd_events_total',
  ]) assert.match(asked('herd-cluster.json'), new RegExp(`\\b${metric}\\b`))
})

test('Grafana averages over the interval at which Prometheus scrapes', () => {
  const scraped = /^ {2}scrape_interval: (\d+s)$/m.exec(readFileSync(path.join(deployFolder, 'prometheus/prometheus.yml'), 'utf8'))
  const assumed = /^ {6}timeInterval: (\d+s)$/m.exec(readFileSync(path.join(deployFolder, 'grafana/provisioning/datasources/prometheus.yaml'), 'utf8'))
  assert.ok(scraped !== null && assumed !== null)
  assert.equal(assumed[1], scraped[1])
})
