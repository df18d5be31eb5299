import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { deployFolder } from './dashboard.ts'
import { describeMetrics, filledRegistries, type MetricDescription } from './registries.ts'

const page = readFileSync(path.join(deployFolder, '../docs/metrics.md'), 'utf8')

/** Rows `| \`name\` | type | labels | meaning |` below a heading, up to the next one. Those that only Linux has are left out elsewhere. */
function tableBelow(heading: string): MetricDescription[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(section !== undefined, `docs/metrics.md has no heading "${heading}"`)
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$/gm)]
  return rows
    .filter(([, , , , meaning]) => process.platform === 'linux' || !meaning.includes('Linux only'))
    .map(([, name, type, labels]) => ({ name, type, labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort() }))
}

function byName(metrics: MetricDescription[]): MetricDescription[] {
  return metrics.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

for (const daemon of ['coordinator', 'worker'] as const) {
  test(`docs/metrics.md lists exactly the metrics of the ${daemon}`, async () => {
    const documented = [...tableBelow(`The ${daemon}'s metrics`), ...tableBelow('Metrics of both processes')]
    // Labels of Node's own are whatever resources and heap spaces there are right now.
    const actual = (await describeMetrics(filledRegistries()[daemon])).map((metric) => (metric.name.startsWith('herd_') ? metric : { ...metric, labels: [] }))
    const expected = documented.map((metric) => (metric.name.startsWith('herd_') ? metric : { ...metric, labels: [] }))
    assert.deepEqual(byName(actual), byName(expected))
  })
}
