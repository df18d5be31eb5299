import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { deployFolder } from './dashboard.ts'
import { describeMetrics, filledRegistries } from './registries.ts'
import { needs, promtool, requireTool } from './tools.ts'

test('promtool finds no fault in prometheus.yml', needs('promtool'), async () => {
  requireTool('promtool')
  const { code, output } = await promtool(['check', 'config', path.join(deployFolder, 'prometheus/prometheus.yml')])
  assert.equal(code, 0, output)
})

const rulesFolder = path.join(deployFolder, 'prometheus/rules')
const textOf = (file: string): string => readFileSync(path.join(rulesFolder, file), 'utf8')
const alerts = [...textOf('herd.alerts.yml').matchAll(/- alert: (\w+)$/gm)].map(([, name]) => name)
const records = [...textOf('herd.rules.yml').matchAll(/- record: (\S+)$/gm)].map(([, name]) => name)

test('promtool finds no fault in the rules, and their tests pass', needs('promtool'), async () => {
  requireTool('promtool')
  const checked = await promtool(['check', 'rules', path.join(rulesFolder, 'herd.rules.yml'), path.join(rulesFolder, 'herd.alerts.yml')])
  assert.equal(checked.code, 0, checked.output)
  assert.match(checked.output, new RegExp(`${records.length} rules found[^]*${alerts.length} rules found`))
  const tested = await promtool(['test', 'rules', path.join(rulesFolder, 'herd.test.yml')])
  assert.equal(tested.code, 0, tested.output)
})

test('every alert is tested to fire and to keep quiet, and every recorded series to have a value', () => {
  const tests = textOf('herd.test.yml')
  assert.ok(alerts.length >= 10 && records.length >= 10)
  for (const alert of alerts) {
    const expectations = [...tests.matchAll(new RegExp(`alertname: ${alert}\\n\\s+eval_time: \\S+\\n\\s+exp_alerts:( \\[\\])?\\n`, 'g'))]
    assert.ok(expectations.some(([, none]) => none === undefined), `${alert} is not tested to fire`)
    assert.ok(expectations.some(([, none]) => none !== undefined), `${alert} is not tested to keep quiet`)
  }
  const queries = [...tests.matchAll(/- expr: (.+)\n\s+eval_time: \S+\n\s+exp_samples:\n/g)].map(([, query]) => query)
  for (const record of records) assert.ok(queries.some((query) => query.includes(record)), `${record} is not tested`)
})

test('docs/metrics.md has every alert with its severity', () => {
  const page = readFileSync(path.join(deployFolder, '../docs/metrics.md'), 'utf8')
  const documented = [...page.matchAll(/^\| `(Herd\w+)` \| (\w+) \|/gm)].map(([, alert, severity]) => `${alert} ${severity}`)
  const written = [...textOf('herd.alerts.yml').matchAll(/- alert: (\w+)$[^]*?severity: (\w+)$/gm)].map(([, alert, severity]) => `${alert} ${severity}`)
  assert.deepEqual(documented, written)
})

test('rules ask only for metrics that the daemons have', async () => {
  const { coordinator, worker } = filledRegistries()
  const known = [...(await describeMetrics(coordinator)), ...(await describeMetrics(worker))].map(({ name }) => name)
  for (const file of ['herd.rules.yml', 'herd.alerts.yml']) {
    const text = textOf(file).replaceAll(/^ *#.*$/gm, '')
    const asked = [...text.matchAll(/(?<![\w:])(?:herd|process)_\w+(?=[{[\s)])/g)].map(([name]) => name)
    assert.notEqual(asked.length, 0)
    for (const name of asked) assert.ok(known.includes(name.replace(/_(bucket|sum|count)$/, '')) || known.includes(name), `${file}: ${name} does not exist`)
  }
})

for (const daemon of ['coordinator', 'worker'] as const) {
  test(`promtool finds no fault in the names and types of the ${daemon}'s metrics`, needs('promtool'), async () => {
    requireTool('promtool')
    const metrics = await filledRegistries()[daemon].metrics()
    // An empty text would have no faults either, so the metrics must be there.
    assert.match(metrics, daemon === 'coordinator' ? /^herd_loss\{phase="test",run="run"\} 2\.1$/m : /^herd_worker_images_total\{worker="first",run="run"\} 4$/m)
    const { code, output } = await promtool(['check', 'metrics'], metrics)
    assert.equal(code, 0, output)
    assert.equal(output, '')
  })
}
