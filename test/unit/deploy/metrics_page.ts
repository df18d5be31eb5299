import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { deployFolder } from './dashboard.ts'
import type { MetricDescription } from './registries.ts'

/** The metrics of a daemon according to docs/metrics.md, including those of every Node process. */
export function documentedMetrics(daemon: 'coordinator' | 'worker' | 'server'): MetricDescription[] {
  const page = readFileSync(path.join(deployFolder, '../docs/metrics.md'), 'utf8')
  return [...tableBelow(page, `The ${daemon}'s metrics`), ...tableBelow(page, 'Metrics of all processes')]
}

/** Rows `| \`name\` | type | labels | meaning |` below a heading, up to the next heading. Rows for Linux only are left out on other systems. */
function tableBelow(page: string, heading: string): MetricDescription[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(section !== undefined, `docs/metrics.md has no heading "${heading}"`)
  const rows = [...section.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \|$/gm)]
  return rows
    .filter(([, , , , meaning]) => process.platform === 'linux' || !meaning.includes('Linux only'))
    .map(([, name, type, labels]) => ({ name, type, labels: [...labels.matchAll(/`(\w+)`/g)].map((match) => match[1]).sort() }))
}
