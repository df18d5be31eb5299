import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { addressOf, Program } from '../support/processes.ts'
import { Prometheus } from '../support/prometheus.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'
import { dashboardFiles, deployFolder, queriesOf, readDashboard, variablesOf, type Dashboard } from '../unit/deploy/dashboard.ts'
import { documentedMetrics } from '../unit/deploy/metrics_page.ts'
import { needs, promtool, requireTool } from '../unit/deploy/tools.ts'

/**
 * Tests of a training that a real Prometheus scrapes, with the configuration from deploy/: it finds the workers by the file that
 * the coordinator keeps, one of them is killed and started again, and all queries of Grafana's dashboards have an answer.
 */
const needed = needs('prometheus')
const SCRAPE_INTERVAL = '500ms'
/** Value of Grafana's $__rate_interval at that scrape interval: four times as long. */
const RATE_INTERVAL = '2s'
const SECONDS_WATCHED = 60

let workspace: Workspace
let prometheus: Prometheus
let coordinator: Program
/** Starts the coordinator, with options besides those that it always has here. */
let coordinate: (...options: string[]) => Program
const started: { stop(): Promise<unknown> }[] = []

function start(name: 'coordinator' | 'worker', ...options: string[]): Program {
  const program = new Program(name, ['--metrics-port', '0', ...options], { ...workspace.environment, TF_CPP_MIN_LOG_LEVEL: '2' })
  started.push(program)
  return program
}

async function metricsOf(program: Program): Promise<string> {
  const [, address] = await program.said(/metrics at http:\/\/(\S+)\/metrics/)
  return address
}

/** The text of deploy/prometheus/prometheus.yml with this run's addresses and files, and with intervals that suit a run of seconds. */
function configuration(coordinatorMetrics: string, targets: string): string {
  const folder = path.join(deployFolder, 'prometheus')
  const replacements: [from: RegExp, to: string][] = [
    [/^ {2}scrape_interval: 5s$/m, `  scrape_interval: ${SCRAPE_INTERVAL}`],
    [/^ {2}scrape_timeout: 4s$/m, `  scrape_timeout: ${SCRAPE_INTERVAL}`],
    [/^ {2}evaluation_interval: 15s$/m, '  evaluation_interval: 1s'],
    [/- 127\.0\.0\.1:9464$/m, `- ${coordinatorMetrics}`],
    [/- workers\.json$/m, `- ${targets}`],
    [/- rules\/\*\.rules\.yml$/m, `- ${folder}/rules/*.rules.yml`],
    [/- rules\/\*\.alerts\.yml$/m, `- ${folder}/rules/*.alerts.yml`],
  ]
  return replacements.reduce((text, [from, to]) => {
    assert.match(text, from)
    return text.replace(from, to)
  }, readFileSync(path.join(folder, 'prometheus.yml'), 'utf8'))
}

before(async () => {
  if (needed.skip !== false) return
  requireTool('prometheus')
  workspace = await createWorkspace()
  const data = await drawAnimals(workspace.path('drawn'), 12)
  const targets = workspace.path('workers.json')
  // There are more epochs than can be done: the run goes on until the tests stop it.
  const training = ['--model', 'tiny', '--image-size', '32', '--batch', '16', '--lanes', '4', '--epochs', '1000000', '--test-fraction', '0.4']
  coordinate = (...options) => start('coordinator', '--data', data, '--out', workspace.path('watched'), '--workers', '2', '--metrics-targets', targets, ...training, ...options)
  coordinator = coordinate('--listen', '127.0.0.1:0')
  const address = await addressOf(coordinator)
  const coordinatorMetrics = await metricsOf(coordinator)
  prometheus = await Prometheus.start(workspace.path('prometheus'), configuration(coordinatorMetrics, targets))
  started.push(prometheus)

  // Workers start after Prometheus, which must see the first one join.
  await prometheus.waitFor('count(up == 1)', 1, 30)
  assert.equal((await fetch(`http://${coordinatorMetrics}/readyz`)).status, 503)
  const join = (name: string, ...more: string[]): Program => start('worker', '--coordinator', address, '--name', name, ...more)
  const mortal = join('mortal', '--data', data)
  join('steady')
  await prometheus.waitFor('sum(up{job="herd-worker"})', 2, 60)
  assert.equal((await fetch(`http://${coordinatorMetrics}/readyz`)).status, 200)
  assert.equal((await fetch(`http://${await metricsOf(mortal)}/readyz`)).status, 200)
  await prometheus.waitFor('herd_epoch >= bool 2', 1, 60)

  await mortal.stop('SIGKILL')
  await prometheus.waitFor('herd_workers_lost_total', 1, 30)
  join('mortal', '--data', data)
  await prometheus.waitFor('count(herd_member_lanes_total > 0)', 2, 60)
  await prometheus.waitFor('min(rate(herd_worker_lanes_total{worker="mortal"}[2s]) > bool 0)', 1, 60)
}, { timeout: 240_000 })

after(async () => {
  await Promise.all(started.map((program) => program.stop()))
  if (needed.skip === false) await workspace?.remove()
})

/** Puts values of variables into a query as Grafana does: several as alternatives, escaped for a regular expression inside a string. */
async function substituted(dashboard: Dashboard, query: string): Promise<string> {
  let result = query.replaceAll('$__rate_interval', RATE_INTERVAL)
  for (const { name, selector, label } of variablesOf(dashboard)) {
    if (!result.includes(`$${name}`)) continue
    const values = await prometheus.labelValues(await substituted(dashboard, selector), label)
    assert.notEqual(values.length, 0, `the variable ${name} has no values`)
    const alternatives = values.map((value) => value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\\\$&'))
    result = result.replaceAll(`$${name}`, () => `(${alternatives.join('|')})`)
  }
  assert.doesNotMatch(result, /\$/, 'a variable that Grafana would not know')
  return result
}

async function answersTo(query: string, instant: boolean): Promise<number[]> {
  return instant ? prometheus.now(query) : (await prometheus.over(SECONDS_WATCHED, 0.5, query)).flatMap(({ values }) => values)
}

for (const file of dashboardFiles) {
  const dashboard = readDashboard(file)

  test(`${file}: the variables find the run and both workers`, needed, async () => {
    const [run, worker] = variablesOf(dashboard)
    assert.deepEqual(await prometheus.labelValues(run.selector, run.label), ['watched'])
    assert.deepEqual((await prometheus.labelValues(await substituted(dashboard, worker.selector), worker.label)).sort(), ['mortal', 'steady'])
  })

  test(`${file}: every query of every panel has data`, needed, async () => {
    for (const { of, expr, instant } of queriesOf(dashboard)) {
      // An event that did not happen in this run has no mark; then only its counter must be there.
      const happened = !of.startsWith('annotation') || /workerLost|workerJoined|"checkpoint"/.test(expr)
      const query = await substituted(dashboard, happened ? expr : expr.replace(/ > 0$/, ''))
      const values = await answersTo(query, instant)
      assert.ok(values.some(Number.isFinite), `${of}: ${query} has no data`)
    }
  })
}

test('every metric that docs/metrics.md names is found by its query', needed, async () => {
  for (const daemon of ['coordinator', 'worker'] as const) {
    for (const { name, type } of documentedMetrics(daemon)) {
      // This metric has a series only while a request of libuv runs.
      if (name === 'nodejs_active_requests') continue
      // This run is one without certificates.
      if (name.includes('certificate')) continue
      const [count] = await prometheus.now(`count({__name__="${name}${type === 'histogram' ? '_bucket' : ''}",job="herd-${daemon}"})`)
      assert.ok(count > 0, `${name} of the ${daemon} is not there`)
    }
  }
})

test('the rules are loaded and evaluated, and nothing is alerted that is as it should be', needed, async () => {
  for (const record of readFileSync(path.join(deployFolder, 'prometheus/rules/herd.rules.yml'), 'utf8').matchAll(/- record: (\S+)$/gm)) {
    assert.ok((await prometheus.now(record[1])).some(Number.isFinite), `${record[1]} is not recorded`)
  }
  assert.deepEqual((await prometheus.labelValues('ALERTS{alertstate="firing",alertname!="HerdWorkersLost"}', 'alertname')), [])
})

test('the values are those of the run', needed, async () => {
  assert.deepEqual(await prometheus.now('sum by (run) (herd_workers)'), [2])
  assert.deepEqual(await prometheus.now('herd_worker_joined'), [1, 1])
  for (const phase of ['train_step', 'train', 'test']) {
    const [loss] = await prometheus.now(`herd_loss{phase="${phase}"}`)
    assert.ok(Number.isFinite(loss) && loss > 0, `${phase} loss ${loss}`)
    const [accuracy] = await prometheus.now(`herd_accuracy_ratio{phase="${phase}"}`)
    assert.ok(accuracy >= 0 && accuracy <= 1, `${phase} accuracy ${accuracy}`)
  }
  const [images] = await prometheus.over(SECONDS_WATCHED, 0.5, 'herd_images_total{run="watched"}')
  assert.ok(images.values.every((value, index) => index === 0 || value >= images.values[index - 1]), `a counter that falls: ${images.values.join()}`)
  assert.ok((images.values.at(-1) ?? 0) > images.values[0], `images are not counted: ${images.values.join()}`)
  // The two may differ: a step may end while a scrape is put together.
  const [apart] = await prometheus.now('abs(herd_step_duration_seconds_count - herd_step)')
  assert.ok(apart <= 1, `steps timed and steps taken are ${apart} apart`)
  const [untold] = await prometheus.now('abs(sum by (run) (herd_step_phase_seconds_total) / on (run) herd_step_duration_seconds_sum - 1)')
  assert.ok(untold < 0.01, `the phases of steps are ${untold} away from the whole`)
})

test('bytes flow both ways', needed, async () => {
  for (const metric of ['herd_received_bytes_total', 'herd_sent_bytes_total', 'herd_worker_received_bytes_total', 'herd_worker_sent_bytes_total', 'herd_member_received_bytes_total', 'herd_member_sent_bytes_total']) {
    const bytes = await prometheus.now(metric)
    assert.equal(bytes.length, /worker|member/.test(metric) ? 2 : 1, metric)
    assert.ok(bytes.every((value) => value > 0), `${metric} ${bytes.join()}`)
  }
})

test('promtool finds no fault in what the daemons serve', needed, async () => {
  requireTool('promtool')
  const targets = await prometheus.labelValues('up', 'instance')
  for (const address of [await metricsOf(coordinator), ...targets]) {
    const metrics = await fetch(`http://${address}/metrics`).then((response) => response.text(), () => undefined)
    // The worker that was killed does not answer.
    if (metrics === undefined) continue
    assert.match(metrics, /^herd_/m)
    const { code, output } = await promtool(['check', 'metrics'], metrics)
    assert.equal(code, 0, output)
    assert.equal(output, '')
  }
})

test('a departed worker leaves no series behind on the coordinator', needed, async () => {
  const metrics = await (await fetch(`http://${await metricsOf(coordinator)}/metrics`)).text()
  const workers = [...metrics.matchAll(/^herd_member_lanes_total\{.*worker="([^"]+)".*\} /gm)].map(([, worker]) => worker)
  assert.deepEqual(workers.sort(), ['mortal', 'steady'])
})

test('a run that is resumed is marked as such, and its workers are found again', needed, async () => {
  const [, port] = (await metricsOf(coordinator)).split(':')
  const address = await addressOf(coordinator)
  assert.equal((await coordinator.stop('SIGTERM')).code, 143)
  await prometheus.waitFor('count(up{job="herd-worker"}) or vector(0)', 0, 30)
  coordinator = coordinate('--listen', address, '--metrics-port', port, '--resume', 'latest')
  await prometheus.waitFor('herd_restarts', 1, 30)
  await prometheus.waitFor('sum(up{job="herd-worker"})', 2, 30)
  const dashboard = readDashboard('herd-training.json')
  for (const { of, expr } of queriesOf(dashboard).filter((query) => query.of === 'annotation Resumed')) {
    assert.ok((await answersTo(await substituted(dashboard, expr), false)).some((value) => value >= 1), of)
  }
})
