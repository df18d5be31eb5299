import assert from 'node:assert/strict'
import { test } from 'node:test'
import { documentedMetrics } from './metrics_page.ts'
import { describeMetrics, filledRegistries, type MetricDescription } from './registries.ts'

const byName = (metrics: MetricDescription[]): MetricDescription[] => metrics.toSorted((a, b) => (a.name < b.name ? -1 : 1))
/** Removes the labels of Node's own metrics, which depend on the resources and heap spaces that exist right now. */
const ofHerd = (metric: MetricDescription): MetricDescription => (metric.name.startsWith('herd_') ? metric : { ...metric, labels: [] })

for (const daemon of ['coordinator', 'worker', 'server'] as const) {
  test(`docs/metrics.md lists exactly the metrics of the ${daemon}`, async () => {
    const actual = await describeMetrics(filledRegistries()[daemon])
    assert.deepEqual(byName(actual.map(ofHerd)), byName(documentedMetrics(daemon).map(ofHerd)))
  })
}
