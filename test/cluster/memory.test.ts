import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Program } from '../support/processes.ts'
import { createWorkspace, drawAnimals, withoutNative, type Workspace } from '../support/workspace.ts'

/** Tests of the resident memory of a run's processes, with the article's network: it is within the promised limits, and does not grow. */
let workspace: Workspace
let data: string

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 6)
})
after(() => workspace.remove())

const MEGABYTE = 1024 * 1024
const COORDINATOR_LIMIT = 500 * MEGABYTE
const WORKER_LIMIT = 1.5 * 1024 * MEGABYTE
const EPOCHS = 12
/**
 * Variation of resident memory when nothing leaks: the heap and its fragments settle at 360 MB in one run and at 390 MB in
 * another. A leak of one gradient per step would add 100 MB in the last four epochs.
 */
const SLACK = 60 * MEGABYTE

function statusOf(pid: number, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number)
  return pids.filter((pid) => {
    try {
      return statusOf(pid, 'PPid') === parent
    } catch {
      return false // the process has ended meanwhile
    }
  })
}

const residentBytes = (pid: number): number => statusOf(pid, 'VmRSS') * 1024

test('a coordinator stays below 500 MB and a worker with its compute process below 1.5 GB, and neither grows from epoch to epoch', { skip: process.platform === 'linux' ? withoutNative : 'memory of processes is read from /proc, which only Linux has' }, async () => {
  const coordinator = new Program('coordinator', ['--data', data, '--out', workspace.path('run'), '--listen', '127.0.0.1:0', '--local-workers', '1', '--engine', 'native', '--image-size', '156', '--batch', '10', '--epochs', String(EPOCHS), '--test-fraction', '0.5'], workspace.environment)
  const measured: { coordinator: number; worker: number }[] = []
  try {
    for (let epoch = 1; epoch < EPOCHS; epoch++) {
      await coordinator.said(new RegExp(`epoch +${epoch}/${EPOCHS} `))
      const pid = coordinator.child.pid ?? 0
      const [worker] = childrenOf(pid)
      measured.push({ coordinator: residentBytes(pid), worker: [worker, ...childrenOf(worker)].reduce((sum, process) => sum + residentBytes(process), 0) })
    }
    assert.equal((await coordinator.ended).code, 0)
  } finally {
    await coordinator.stop()
  }
  const told = JSON.stringify(measured.map((each) => [each.coordinator, each.worker].map((bytes) => Math.round(bytes / MEGABYTE))))
  for (const each of measured) {
    assert.ok(each.coordinator > 50 * MEGABYTE && each.coordinator < COORDINATOR_LIMIT, `coordinator, MB: ${told}`)
    assert.ok(each.worker > 200 * MEGABYTE && each.worker < WORKER_LIMIT, `worker, MB: ${told}`)
  }
  const [early, late] = [measured.slice(0, -4), measured.slice(-4)]
  for (const who of ['coordinator', 'worker'] as const) {
    const largest = (epochs: typeof measured): number => Math.max(...epochs.map((each) => each[who]))
    assert.ok(largest(late) <= largest(early) + SLACK, `the ${who} grows, MB after each epoch: ${told}`)
  }
})
