import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { run, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'

/** Tests of bad input: it gives one or two lines with the field, the value and a remedy, exit code 2 (usage) or 1 (run), and nothing half-written. */
let workspace: Workspace
let data: string
const quick = ['--model', 'tiny', '--image-size', '16', '--epochs', '1', '--batch', '16', '--test-fraction', '0.5', '--engine', 'wasm', '--single-node']

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 10)
  await mkdir(workspace.path('empty'))
  await mkdir(workspace.path('one', 'cane'), { recursive: true })
  await mkdir(workspace.path('few', 'gatto'), { recursive: true })
  const image = path.join(data, 'cane', 'cane-0001.jpeg')
  for (const number of [1, 2, 3]) await copyFile(image, workspace.path('one', 'cane', `${number}.jpeg`))
  await mkdir(workspace.path('few', 'cane'))
  for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) await copyFile(image, workspace.path('few', 'cane', `${number}.jpeg`))
  await copyFile(image, workspace.path('few', 'gatto', '1.jpeg'))
})
after(() => workspace.remove())

function coordinator(...options: string[]): Promise<Ended> {
  return run('coordinator', options, workspace.environment)
}

function complains(ended: Ended, code: number, message: RegExp): void {
  assert.equal(ended.code, code, ended.stdout + ended.stderr)
  assert.match(ended.stderr, message)
  assert.ok(ended.stderr.trim().split('\n').length <= 2, `two lines at most:\n${ended.stderr}`)
  assert.doesNotMatch(ended.stderr, /^\s+at /m, 'no stack trace')
}

const badOptions: [options: string[], message: RegExp][] = [
  [[], /^error: --data is missing: expected a folder of images/],
  [['--data', 'x', '--batch', '0'], /^error: --batch 0: expected a whole number from 1 to 65536\.$/m],
  [['--data', 'x', '--batch', 'many'], /^error: --batch many: expected a whole number/],
  [['--data', 'x', '--lanes', '100'], /^error: --lanes 100: expected at most --batch 64/],
  [['--data', 'x', '--lr', 'nan'], /^error: --lr nan: expected a number above 0/],
  [['--data', 'x', '--lr', '-1'], /^error: --lr -1: expected a number above 0/],
  [['--data', 'x', '--epochs', '1.5'], /^error: --epochs 1\.5: expected a whole number/],
  [['--data', 'x', '--seed', '-1'], /^error: --seed -1: expected/],
  [['--data', 'x', '--precision', 'f64'], /^error: --precision f64: expected one of f32, bf16, auto/],
  [['--data', 'x', '--model', 'resnet'], /^error: --model resnet: neither a network that comes with Herd \(article, herd, tiny, .*\) nor a file that can be read/],
  [['--data', 'x', '--test-fraction', '1'], /^error: --test-fraction 1: expected a number above 0 and below 1/],
  [['--data', 'x', '--listen', 'nowhere'], /^error: --listen nowhere: expected HOST:PORT/],
  [['--data', 'x', '--workers', '2', '--single-node'], /^error: --workers and --single-node exclude each other/],
  [['--data', 'x', '--resume', 'latest'], /^error: --resume latest needs --out/],
  [['--data', 'x', '--engine', 'wasm', '--precision', 'bf16'], /^error: --precision bf16 needs the native engine/],
  [['--data', 'x', '--numerics', 'portable', '--precision', 'bf16'], /^error: --numerics portable computes in float32: leave --precision bf16 out/],
  [['--data', 'x', '--numerics', 'portable', '--gpu', '0'], /^error: --numerics portable computes on the CPU: leave --gpu out/],
  [['--no-such-option'], /^error: unknown option '--no-such-option'/],
]
for (const [options, message] of badOptions) {
  test(`options ${options.join(' ') || '(none)'} are refused`, async () => {
    complains(await coordinator(...options), message.source.includes('needs the native engine') ? 1 : 2, message)
  })
}

test('data that cannot be trained on is refused before a run folder is made', async () => {
  const out = workspace.path('never')
  const of = (folder: string, ...options: string[]): Promise<Ended> => coordinator('--data', workspace.path(folder), '--out', out, ...quick, ...options)
  complains(await of('missing'), 1, /^error: .*missing.* does not exist/)
  complains(await of('empty'), 1, /^error: .*empty/)
  complains(await of('one'), 1, /^error: .*only one class.*cane|^error: .*one class/)
  complains(await of('few'), 1, /^error: .*gatto.* 1 /)
  complains(await coordinator('--data', data, '--out', out, '--single-node', '--test-fraction', '0.5', '--image-size', '155'), 2, /^error: --image-size 155 is too small for the network "article": .* at least 156/)
  assert.ok(!(await readdir(workspace.folder)).includes('never'))
})

test('a folder that already has a run is not overwritten', async () => {
  const out = workspace.path('taken')
  assert.equal((await coordinator('--data', data, '--out', out, ...quick)).code, 0)
  const summary = await readFile(path.join(out, 'summary.json'), 'utf8')
  complains(await coordinator('--data', data, '--out', out, ...quick), 2, /^error: --out .*taken already has a run: continue it with --resume latest/)
  assert.equal(await readFile(path.join(out, 'summary.json'), 'utf8'), summary)
})

test('a port in use is named', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  const { port } = server.address() as net.AddressInfo
  const cluster = quick.filter((option) => option !== '--single-node')
  complains(await coordinator('--data', data, '--out', workspace.path('port'), '--listen', `127.0.0.1:${port}`, ...cluster), 1, new RegExp(`^error: --listen 127\\.0\\.0\\.1:${port}: the port ${port} is in use`))
  complains(await coordinator('--data', data, '--out', workspace.path('port2'), '--metrics-port', String(port), ...quick), 1, new RegExp(`^error: --metrics-port ${port}: the port is in use`))
})

test('a damaged or foreign checkpoint is refused', async () => {
  const out = workspace.path('sound')
  assert.equal((await coordinator('--data', data, '--out', out, ...quick)).code, 0)
  const sound = await readFile(path.join(out, 'checkpoints', 'latest.ckpt'))
  const altered = Buffer.from(sound)
  altered[altered.length - 100] ^= 1
  const cases: [name: string, content: Buffer, message: RegExp][] = [
    ['truncated', sound.subarray(0, sound.length / 2), /truncated/],
    ['altered', altered, /altered/],
    ['empty', Buffer.alloc(0), /empty/],
    ['text', Buffer.from('not a checkpoint at all, but long enough'), /text/],
  ]
  for (const [name, content, message] of cases) {
    const file = workspace.path(`${name}.ckpt`)
    await writeFile(file, content)
    complains(await coordinator('--data', data, '--out', workspace.path(`from-${name}`), '--single-node', '--resume', file), 1, message)
  }
  const other = await coordinator('--data', workspace.path('one', '..', 'others'), '--out', workspace.path('x'), '--single-node', '--resume', path.join(out, 'checkpoints', 'latest.ckpt'))
  complains(other, 1, /does not exist/)
})

test('options come from the command line, then the environment, then a config file', async () => {
  const file = workspace.path('config.json')
  await writeFile(file, JSON.stringify({ batch: 20, lanes: 5, 'image-size': 16, seed: 1 }))
  const out = workspace.path('configured')
  const ended = await run('coordinator', ['--config', file, '--data', data, '--out', out, '--model', 'tiny', '--epochs', '1', '--test-fraction', '0.5', '--single-node', '--seed', '9'], {
    ...workspace.environment, HERD_LANES: '4', HERD_SEED: '8', HERD_ENGINE: 'wasm',
  })
  assert.equal(ended.code, 0, ended.stderr)
  const { recipe } = JSON.parse(await readFile(path.join(out, 'config.json'), 'utf8')) as { recipe: Record<string, unknown> }
  assert.deepEqual([recipe['batch'], recipe['lanes'], recipe['seed'], recipe['imageSize'], recipe['engine']], [20, 4, 9, 16, 'wasm'])

  complains(await run('coordinator', ['--data', data], { ...workspace.environment, HERD_BATCH: 'x' }), 2, /^error: HERD_BATCH x: expected a whole number/)
  await writeFile(file, '{"btach": 1}')
  complains(await coordinator('--config', file, '--data', data), 2, /there is no option "btach"/)
  await writeFile(file, 'no json')
  complains(await coordinator('--config', file, '--data', data), 2, /cannot be read as JSON/)
  complains(await coordinator('--config', workspace.path('absent.json'), '--data', data), 2, /cannot be read as JSON/)
})

test('with --pictures off a run draws nothing and names no picture', async () => {
  const out = workspace.path('without-pictures')
  const { code, stdout, stderr } = await coordinator('--data', data, '--out', out, ...quick, '--pictures', 'off')
  assert.equal(code, 0, stderr)
  assert.doesNotMatch(stdout, /curves|predictions|report/)
  assert.deepEqual((await readdir(out)).filter((name) => name === 'plots' || name === 'report.html'), [])
  const { predictions, confusion } = JSON.parse(await readFile(path.join(out, 'evaluation.json'), 'utf8')) as { predictions: unknown[]; confusion: number[][] }
  assert.deepEqual([predictions, confusion.length], [[], 10])
})

test('unreadable images are named in events.jsonl and left out, and the run goes on', async () => {
  const folder = await drawAnimals(workspace.path('with-bad'), 10)
  await writeFile(path.join(folder, 'cane', 'broken.jpg'), 'this is no image')
  const out = workspace.path('left-out')
  const ended = await coordinator('--data', folder, '--out', out, ...quick)
  assert.equal(ended.code, 0, ended.stderr)
  assert.match(ended.stderr, /cane\/broken\.jpg is left out/)
  assert.match(await readFile(path.join(out, 'events.jsonl'), 'utf8'), /"event":"imageSkipped","path":"cane\/broken\.jpg"/)
})

test('--help of both daemons shows defaults and examples, and exits with 0', async () => {
  for (const [name, example] of [['coordinator', /--local-workers 2/], ['worker', /--gpu 0/]] as const) {
    const help = await run(name, ['--help'])
    assert.equal(help.code, 0)
    assert.match(help.stdout, /default: /)
    assert.match(help.stdout, /Examples:/)
    assert.match(help.stdout, example)
  }
})
