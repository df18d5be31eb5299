import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { reportSchema } from '../../benchmark/bench/report.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { withoutGpu } from '../support/gpu.ts'
import { GPU_REASON } from '../support/gpu_reason.ts'
import { createWorkspace, drawAnimals, withoutNative, type Workspace } from '../support/workspace.ts'
import { ROOT } from '../../shared/kit/project.ts'
import path from 'node:path'

/** Tests of `npm run bench` as a program: in short form, and without PyTorch, which is no part of the project's tests. */
let workspace: Workspace

before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

function bench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    // This is what `npm run bench` runs.
    const child = execFile(process.execPath, [path.join(ROOT, 'bin/run.mjs'), 'benchmark/bench/main.ts', ...args], { cwd: ROOT, env: { ...process.env, ...workspace.environment } }, (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }))
  })
}

test('the exchange and the limit of a coordinator are measured, told, and written as JSON and into a page', async () => {
  const [json, page] = [workspace.path('bench.json'), workspace.path('page.md')]
  await writeFile(page, '# Page\n\n<!-- npm run bench: begin -->\n<!-- npm run bench: end -->\n')
  const [reducers, compress] = shortOrLong(['2', 'int8'], ['1,2', 'none,int8'])
  const ended = await bench('--only', 'exchange,limit', '--rounds', shortOrLong('1', '2'), '--steps', shortOrLong('1', '10'), '--exchange', '2', '--reducers', reducers, '--compress', compress, '--limit', '1,3', '--without-peers', '--json', json, '--page', page)
  assert.equal(ended.code, 0, ended.stderr)
  const report = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
  assert.deepEqual(report.sections.map(({ measures }) => measures.map(({ name }) => name)), [
    [...shortOrLong([], ['Herd, 2 workers', 'Herd, 2 workers, 2 reducers', 'Herd, 2 workers, int8']), 'Herd, 2 workers, 2 reducers, int8', 'Herd, 2 workers, TLS', 'Herd, 2 workers, through memory'],
    ['1 worker', '3 workers'],
  ])
  for (const { values } of report.sections.flatMap(({ measures, derived }) => [...measures, ...derived])) {
    assert.equal(values.length, shortOrLong(1, 2))
    assert.ok(values.every((value) => value > 0))
  }
  const written = await readFile(page, 'utf8')
  assert.ok(written.includes(ended.stdout.trim()))
  assert.match(written, /### The exchange alone[^]*\| Herd, 2 workers(, 2 reducers, int8)? \| \S+ \(\S+ to \S+\) \| 1 \|/)
})

test("a worker's step and the whole job are measured", { skip: withoutNative }, async () => {
  const json = workspace.path('native.json')
  const lanes = shortOrLong([2], [8, 2])
  const ended = await bench('--only', 'step,cluster', '--rounds', '1', '--image-size', '156', '--batches', '2', '--batch', '8', '--lanes', lanes.join(','), '--workers', '2', '--precision', 'f32', '--without-peers', '--json', json)
  assert.equal(ended.code, 0, ended.stderr)
  const { sections } = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
  assert.deepEqual(sections.map(({ title, measures }) => [title, measures.map(({ name, values }) => [name, values.length])]), [
    ["One worker's step, batch 2", [['Herd f32', 1], ['Herd eager f32', 1], ['Herd wasm f32', 1]]],
    ['The whole job, f32', lanes.map((count) => [`Herd, 2 workers, ${count} lanes`, 1])],
  ])
})

test('starting, and in the long form recovery, are measured', { skip: withoutNative }, async () => {
  const json = workspace.path('deaths.json')
  const ended = await bench('--only', shortOrLong('start', 'start,recovery'), '--rounds', '1', '--image-size', '156', '--batch', '8', '--workers', '1', '--without-peers', '--json', json)
  assert.equal(ended.code, 0, ended.stderr)
  const { sections } = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
  assert.deepEqual(sections.map(({ title, measures }) => [title, measures.length]), [['From the command to the first step', 2], ...shortOrLong([], [['Recovery', 5]])])
  for (const { values } of sections.flatMap(({ measures }) => measures)) assert.ok(values.length === 1 && values[0] > 0)
})

const noGpu = await withoutGpu()

test("a worker's step on a GPU is measured", { skip: noGpu }, async () => {
  const json = workspace.path('gpu.json')
  const ended = await bench('--only', 'step', '--gpu', '0', '--rounds', '1', '--image-size', '156', '--batches', '2', '--without-peers', '--json', json)
  assert.equal(ended.code, 0, ended.stderr)
  const { sections } = reportSchema.parse(JSON.parse(await readFile(json, 'utf8')))
  assert.deepEqual(sections.map(({ title, measures }) => [title, measures.map(({ name, values }) => [name, values.length])]), [
    ["One worker's step on a GPU, batch 2", [['Herd f32', 1], ['Herd bf16', 1]]],
  ])
})

test('without a GPU no step is measured on one', { skip: noGpu === false && `${GPU_REASON}there is one` }, async () => {
  const ended = await bench('--only', 'step', '--gpu', '0', '--without-peers')
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /error: .*(the native engine for GPUs is not installed|found no GPU 0)/)
})

test('the input is measured on drawn images and on those of a folder', async () => {
  const json = workspace.path('input.json')
  const folder = await drawAnimals(workspace.path('drawn'), 2)
  for (const from of [[], ['--data', folder]]) {
    const ended = await bench('--only', 'input', '--rounds', '2', '--images', '12', '--image-size', '64', '--json', json, ...from)
    assert.equal(ended.code, 0, ended.stderr)
    const [{ measures, about }] = reportSchema.parse(JSON.parse(await readFile(json, 'utf8'))).sections
    assert.match(about, /^12 images/)
    assert.deepEqual(measures.map(({ name, values }) => [name, values.length]), [['decoded', 2], ['from memory', 2], ['from the cache file', 2], ['from memory, plain TypeScript', 2]])
    assert.ok(measures.every(({ values }) => values.every((value) => value > 0)))
  }
})

test('the start of a data set is measured on files that are made up', async () => {
  const json = workspace.path('data.json')
  const ended = await bench('--only', 'data', '--rounds', '1', '--data-sizes', '2000', '--json', json)
  assert.equal(ended.code, 0, ended.stderr)
  const [{ title, about, measures, derived }] = reportSchema.parse(JSON.parse(await readFile(json, 'utf8'))).sections
  assert.match(`${title}: ${about}`, /2,000 made-up images.* In 4 classes/)
  assert.deepEqual([measures.length, derived.length], [3, 9])
  assert.ok([...measures, ...derived].every(({ values }) => values.length === 1 && values[0] > 0))
})

test('what is wrong with the command line is said', async () => {
  const ended = await bench('--only', 'step,everything')
  assert.equal(ended.code, 2)
  assert.equal(ended.stderr, 'error: --only step,everything: expected some of step, cluster, exchange, limit, input, start, recovery, costs, scaling, network, data, separated by commas.\n')
})

test('an interpreter without PyTorch is named, and nothing is left running', async () => {
  const ended = await bench('--only', 'exchange', '--rounds', '1', '--exchange', '1', '--steps', '1', '--compress', 'none', '--python', '/nonexistent/python')
  assert.equal(ended.code, 1)
  assert.match(ended.stderr, /error: allreduce\.py ended before it had measured anything; it said:\nspawn \/nonexistent\/python ENOENT/)
})
