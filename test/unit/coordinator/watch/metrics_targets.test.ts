import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import test from 'node:test'
import type { ClusterStatus } from '../../../../coordinator/contract/cluster.ts'
import type { RunEvent } from '../../../../coordinator/contract/events.ts'
import { MetricsTargets } from '../../../../coordinator/watch/metrics_targets.ts'
import { createWorkspace } from '../../../support/workspace.ts'

const joined: RunEvent = { type: 'workerJoined', worker: 'one', workers: 1, engine: '', device: '', fingerprint: '', sharesMemory: false }

test('the file has the addresses of the workers that are in, and none when the run is over', async (t) => {
  const workspace = await createWorkspace()
  t.after(() => workspace.remove())
  const file = workspace.path('workers.json')
  let metricsTargets: string[] = []
  const targets = new MetricsTargets(file, () => ({ metricsTargets }) as ClusterStatus, () => assert.fail('nothing is to be reported'))
  const written = async (): Promise<unknown> => JSON.parse(await readFile(file, 'utf8').catch(() => 'null'))
  const until = async (expected: unknown): Promise<void> => {
    while (JSON.stringify(await written()) !== JSON.stringify(expected)) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  // The worker becomes a member only after the event of its joining.
  targets.observe(joined)
  metricsTargets = ['127.0.0.1:9465']
  await until([{ targets: ['127.0.0.1:9465'] }])
  metricsTargets = ['127.0.0.1:9465', '[::1]:9466']
  targets.observe(joined)
  await until([{ targets: ['127.0.0.1:9465', '[::1]:9466'] }])
  metricsTargets = ['[::1]:9466']
  targets.observe({ type: 'workerLost', worker: 'one', workers: 1, reason: 'gone' })
  await until([{ targets: ['[::1]:9466'] }])
  await targets.close()
  assert.deepEqual(await written(), [{ targets: [] }])
})

test('a disk that refuses is reported once, until it could be written again', async (t) => {
  const workspace = await createWorkspace()
  t.after(() => workspace.remove())
  const reported: string[] = []
  const file = workspace.path('gone', 'workers.json')
  const targets = new MetricsTargets(file, () => ({ metricsTargets: ['a:1'] }) as ClusterStatus, (event) => void (event.type === 'writeFailed' && reported.push(event.reason)))
  targets.observe(joined)
  await new Promise((resolve) => setTimeout(resolve, 50))
  targets.observe(joined)
  await targets.close()
  assert.equal(reported.length, 1)
  assert.match(reported[0], /^--metrics-targets .*workers\.json cannot be written: ENOENT/)
  await rm(workspace.path('gone'), { recursive: true, force: true })
})
