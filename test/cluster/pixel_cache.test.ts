import assert from 'node:assert/strict'
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { shortOrLong } from '../runner/long_forms.ts'
import { metricOf } from '../support/metrics.ts'
import { Program, run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/** Tests of the file of decoded images with whole runs: it is filled, read, damaged and left out, and the weights are the same. */
let workspace: Workspace
let data: string
let digest: string

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 8)
  const ended = await train('without', ['--single-node', '--cache-size', '0'])
  assert.equal(ended.code, 0, ended.stderr)
  digest = (await summaryOf(workspace.path('without'))).digest
})
after(() => workspace.remove())

const options = ['--model', 'tiny', '--image-size', '32', '--engine', 'wasm', '--batch', '20', '--epochs', '2', '--test-fraction', '0.5', '--listen', '127.0.0.1:0']

function train(out: string, how: string[]): Promise<Ended> {
  return run('coordinator', ['--data', data, '--out', workspace.path(out), ...options, ...how], workspace.environment)
}

async function givesTheSame(out: string, how: string[]): Promise<Ended> {
  const ended = await train(out, how)
  assert.equal(ended.code, 0, ended.stderr)
  assert.equal((await summaryOf(workspace.path(out))).digest, digest, out)
  return ended
}

const folder = (): string => workspace.path('cache', 'pixels')

async function files(ending: string): Promise<string[]> {
  const names = await readdir(folder()).catch(() => [] as string[])
  return names.filter((name) => name.endsWith(ending)).map((name) => path.join(folder(), name))
}

async function empty(): Promise<void> {
  await rm(folder(), { recursive: true, force: true })
}

test('an empty, a filled, a damaged and no cache file give the same weights, with one process and with several', async () => {
  assert.deepEqual(await files(''), [], '--cache-size 0 writes none')
  for (const [name, how] of [['single', ['--single-node']], ['local', ['--local-workers', '2']]] as const) {
    await empty()
    await givesTheSame(`${name}-cold`, [...how])
    const written = await files('.pixels')
    assert.ok(written.length >= 1)
    const before = await Promise.all(written.map((file) => readFile(file)))
    await givesTheSame(`${name}-warm`, [...how])
    assert.deepEqual(await files('.pixels'), written, 'a second run decodes nothing, and so writes nothing')

    // A single process meets damaged files in the short form; several processes read through the same code.
    if (shortOrLong(name === 'local', false)) continue
    // Half of the pixels of each file are changed, and the last ones are missing.
    for (const [index, file] of written.entries()) await writeFile(file, before[index].subarray(0, -1000).map((value, at) => (at % 2_000_000 < 1_000_000 ? value ^ 0x10 : value)))
    await givesTheSame(`${name}-damaged`, [...how])
    assert.ok((await files('.pixels')).length > written.length, 'what was damaged was decoded, and written again')
    for (const file of await files('.index')) await truncate(file, 100)
    await givesTheSame(`${name}-cut`, [...how])
  }
})

test('a folder that refuses costs a warning, not a run', async () => {
  await empty()
  await writeFile(folder(), 'a file in the way')
  const ended = await givesTheSame('refused', ['--single-node'])
  assert.match(ended.stderr, /no more decoded images are kept in .*pixels: .*Training goes on/)
  assert.equal(ended.stderr.match(/no more decoded images/g)?.length, 1)
  await empty()
})

test('a limit that is less than the data set costs one warning', async () => {
  await empty()
  const ended = await givesTheSame('limited', ['--single-node', '--cache-size', '1MB'])
  assert.equal(ended.stderr.match(/its limit is reached with \d+ of the 80 images/g)?.length, 1)
})

test('what a worker found in the cache file, decoded, read and wrote are metrics', async () => {
  await empty()
  await givesTheSame('filling', ['--single-node'])
  const coordinator = new Program('coordinator', ['--data', data, '--out', workspace.path('scraped'), ...options, '--epochs', '30', '--workers', '1'], workspace.environment)
  const [, address] = await coordinator.said(/waiting for workers at (\S+)/)
  const worker = new Program('worker', ['--coordinator', address, '--data', data, '--metrics-port', '0'], workspace.environment)
  const [, url] = await worker.said(/metrics at (\S+)/)
  await coordinator.said(/epoch +3\/30/)
  const valueOf = async (name: string): Promise<number> => (await metricOf(url, `herd_worker_${name}`)) ?? Number.NaN
  assert.equal(await valueOf('pixel_cache_hits_total'), 80, 'each image once, and then it is in memory')
  assert.equal(await valueOf('decoded_cache_misses_total'), 80)
  assert.equal(await valueOf('pixel_cache_misses_total'), 0)
  assert.equal(await valueOf('decode_seconds_total'), 0)
  assert.ok((await valueOf('pixel_cache_read_bytes_total')) > 80 * 32 * 32 * 3)
  assert.ok((await valueOf('pixel_cache_bytes')) > (await valueOf('pixel_cache_read_bytes_total')))
  assert.equal(await valueOf('pixel_cache_written_bytes_total'), 0)
  assert.equal(await valueOf('pixel_cache_damaged_total'), 0)
  assert.ok((await valueOf('input_wait_seconds_total')) >= 0)
  for (const program of [coordinator, worker]) program.child.kill('SIGTERM')
  await Promise.all([coordinator.ended, worker.ended])
})
