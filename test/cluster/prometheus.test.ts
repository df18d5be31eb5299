import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { addressOf, Program } from '../support/processes.ts'
import { Prometheus } from '../support/prometheus.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'
import { deployFolder, instanceVariables, panelsOf, readDashboard } from '../unit/deploy/dashboard.ts'
import { needs, promtool, requireTool } from '../unit/deploy/tools.ts'

/**
 * A training that a real Prometheus scrapes, with the configuration from deploy/, is asked whatever Grafana would ask for
 * the dashboard from deploy/.
 */
const dashboard = readDashboard()
const panels = panelsOf(dashboard)
const needed = needs('prometheus')
const SCRAPE_INTERVAL = '500ms'
/** What Grafana puts for $__rate_interval at that scrape interval: four of them. */
const RATE_INTERVAL = '2s'
const SECONDS_WATCHED = 6

let workspace: Workspace
let prometheus: Prometheus
const started: { stop(): Promise<unknown> }[] = []
/** host:port of the daemons' metrics, as Prometheus has them in the label `instance`. */
let coordinator: string
let workers: string[]

function start(name: 'coordinator' | 'worker', ...options: string[]): Program {
  const program = new Program(name, ['--metrics-port', '0', ...options], { ...workspace.environment, TF_CPP_MIN_LOG_LEVEL: '2' })
  started.push(program)
  return program
}

async function metricsOf(program: Program): Promise<string> {
  const [, address] = await program.said(/metrics at http:\/\/(\S+)\/metrics/)
  return address
}

/** deploy/prometheus/prometheus.yml with this run's targets, and intervals that suit a run of seconds. */
function configuration(): string {
  const replacements: [from: RegExp, to: string][] = [
    [/^ {2}scrape_interval: 5s$/m, `  scrape_interval: ${SCRAPE_INTERVAL}`],
    [/^ {2}scrape_timeout: 4s$/m, `  scrape_timeout: ${SCRAPE_INTERVAL}`],
    [/- 127\.0\.0\.1:9464$/m, `- ${coordinator}`],
    [/- 127\.0\.0\.1:9465$/m, `- ${workers[0]}`],
    [/- 127\.0\.0\.1:9466$/m, `- ${workers[1]}`],
  ]
  return replacements.reduce((text, [from, to]) => {
    assert.match(text, from)
    return text.replace(from, to)
  }, readFileSync(path.join(deployFolder, 'prometheus/prometheus.yml'), 'utf8'))
}

before(async () => {
  if (needed.skip !== false) return
  requireTool('prometheus')
  workspace = await createWorkspace()
  const data = await drawAnimals(workspace.path('drawn'), 12)
  // More epochs than anyone waits for: the run goes on until the tests have seen enough.
  const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--lanes', '4', '--epochs', '1000000', '--test-fraction', '0.4']
  const trainer = start('coordinator', '--data', data, '--out', workspace.path('run'), '--workers', '2', '--listen', '127.0.0.1:0', ...training)
  const address = await addressOf(trainer)
  const members = [start('worker', '--coordinator', address, '--data', data), start('worker', '--coordinator', address)]
  coordinator = await metricsOf(trainer)
  workers = await Promise.all(members.map(metricsOf))

  prometheus = await Prometheus.start(workspace.path('prometheus'), configuration())
  started.push(prometheus)
  await prometheus.waitFor('sum(up)', 3, 30)
  await prometheus.waitFor('herd_epoch >= bool 2', 1, 60)
  await prometheus.waitFor('min(herd_worker_images_total > bool 0)', 1, 30)
  await prometheus.waitFor(`min(count_over_time(herd_step[1m]) >= bool ${SECONDS_WATCHED * 2})`, 1, 30)
}, { timeout: 120_000 })

after(async () => {
  await Promise.all(started.map((program) => program.stop()))
  if (needed.skip === false) await workspace?.remove()
})

/** Puts values into a query as Grafana does: several as alternatives, escaped for a regular expression inside a string. */
async function substituted(query: string): Promise<string> {
  let result = query.replaceAll('$__rate_interval', RATE_INTERVAL)
  for (const { name, metric, label } of instanceVariables(dashboard)) {
    const values = await prometheus.labelValues(metric, label)
    const alternatives = values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\\\$&'))
    result = result.replaceAll(`$${name}`, () => `(${alternatives.join('|')})`)
  }
  assert.doesNotMatch(result, /\$/, 'a variable that Grafana would not know')
  return result
}

test('the variables of the dashboard find the coordinator and both workers', needed, async () => {
  const [first, second] = instanceVariables(dashboard)
  assert.deepEqual(await prometheus.labelValues(first.metric, first.label), [coordinator])
  assert.deepEqual((await prometheus.labelValues(second.metric, second.label)).sort(), [...workers].sort())
})

for (const panel of panels) {
  test(`panel "${panel.title}" has data for each of its queries`, needed, async () => {
    for (const { expr } of panel.targets) {
      const query = await substituted(expr)
      const series = await prometheus.over(SECONDS_WATCHED, 0.5, query)
      assert.notEqual(series.length, 0, `no data: ${query}`)
      for (const { labels, values } of series) assert.ok(values.some(Number.isFinite), `${query} ${JSON.stringify(labels)}: only ${values.join()}`)
      if (expr.includes('$worker')) {
        assert.deepEqual(series.map(({ labels }) => labels['instance']).sort(), [...workers].sort(), query)
      }
    }
  })
}

test('the values are those of the run', needed, async () => {
  assert.deepEqual(await prometheus.now('herd_workers'), [2])
  assert.deepEqual(await prometheus.now('herd_worker_joined'), [1, 1])
  for (const phase of ['train_step', 'train', 'test']) {
    const [loss] = await prometheus.now(`herd_loss{phase="${phase}"}`)
    assert.ok(Number.isFinite(loss) && loss > 0, `${phase} loss ${loss}`)
    const [accuracy] = await prometheus.now(`herd_accuracy_ratio{phase="${phase}"}`)
    assert.ok(accuracy >= 0 && accuracy <= 1, `${phase} accuracy ${accuracy}`)
  }
  const [images] = await prometheus.over(SECONDS_WATCHED, 0.5, 'herd_images_total')
  assert.ok(images.values.every((value, index) => index === 0 || value >= images.values[index - 1]), `a counter that falls: ${images.values.join()}`)
  assert.ok((images.values.at(-1) ?? 0) > images.values[0], `images are not counted: ${images.values.join()}`)
  // Not equal for sure: a step may end while a scrape is put together.
  const [apart] = await prometheus.now('abs(herd_step_duration_seconds_count - herd_step)')
  assert.ok(apart <= 1, `steps timed and steps taken are ${apart} apart`)
})

test('bytes flow both ways', needed, async () => {
  for (const metric of ['herd_received_bytes_total', 'herd_sent_bytes_total', 'herd_worker_received_bytes_total', 'herd_worker_sent_bytes_total']) {
    const bytes = await prometheus.now(metric)
    assert.equal(bytes.length, metric.includes('worker') ? 2 : 1, metric)
    assert.ok(bytes.every((value) => value > 0), `${metric} ${bytes.join()}`)
  }
})

test('promtool finds no fault in what the daemons serve', needed, async () => {
  requireTool('promtool')
  for (const address of [coordinator, ...workers]) {
    const metrics = await (await fetch(`http://${address}/metrics`)).text()
    assert.match(metrics, /^herd_/m)
    const { code, output } = await promtool(['check', 'metrics'], metrics)
    assert.equal(code, 0, output)
  }
})
