import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { ROOT } from '../../shared/kit/project.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { Program, type Ended } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'

/** Major versions of Node.js in package.json besides the one that runs the tests; each must give the same bits as that one. */
const MAJORS = ['20', '22', '24', '26'].filter((major) => !process.versions.node.startsWith(`${major}.`))
const EAGER_TEST = path.join(ROOT, 'dist/test/unit/shared/engine/eager.test.js')
const engines = withoutNative === false ? ['wasm', 'native'] : ['wasm']
/** Engines by which a version trains and predicts. In short form the versions between the oldest and the newest train with wasm alone, and try native in the eager path. */
const enginesOf = (major: string): string[] => (major === MAJORS.at(-1) ? engines : shortOrLong(['wasm'], engines))
const programs = new Map(execFileSync('bash', [path.join(ROOT, '.ci/install-node'), '--no-install'], { encoding: 'utf8' }).trim().split('\n').map((line) => line.split(' ') as [string, string]))

let workspace: Workspace
let data: string
/** Digests by engine, from the running version of Node.js. */
const digests = new Map<string, string>()
const predictions = new Map<string, string>()

function start(node: string, name: 'coordinator' | 'herd', args: readonly string[]): Promise<Ended> {
  return new Program(name, args, workspace.environment, [], { node }).ended
}

async function trained(node: string, out: string, engine: string, ...where: string[]): Promise<string> {
  const ended = await start(node, 'coordinator', ['--data', data, '--out', out, '--model', 'tiny', '--image-size', '32', '--batch', '8', '--lanes', '4', '--epochs', '1', '--test-fraction', '0.5', '--engine', engine, ...where])
  assert.equal(ended.code, 0, ended.stderr)
  return (await summaryOf(out)).digest
}

async function predicted(node: string, engine: string): Promise<string> {
  const image = path.join(data, 'cane', 'cane-0001.jpeg')
  const ended = await start(node, 'herd', ['predict', '--json', '--engine', engine, '--checkpoint', workspace.path(engine, 'checkpoints', 'latest.ckpt'), image])
  assert.equal(ended.code, 0, ended.stderr)
  return ended.stdout
}

before(async () => {
  workspace = await createWorkspace()
  data = await drawAnimals(workspace.path('drawn'), 5)
  for (const engine of engines) {
    digests.set(engine, await trained(process.execPath, workspace.path(engine), engine, '--single-node'))
    predictions.set(engine, await predicted(process.execPath, engine))
  }
})
after(() => workspace.remove())

for (const major of MAJORS) {
  const node = programs.get(major)
  test(`on Node.js ${major} a cluster trains to the same digest, herd predict says the same, and the eager path computes`, { skip: node !== undefined ? false : `Node.js ${major} is not installed for the tests: .ci/install-node does it` }, async () => {
    assert.ok(node !== undefined)
    assert.match(execFileSync(node, ['--version'], { encoding: 'utf8' }), new RegExp(`^v${major}\\.`))
    for (const engine of enginesOf(major)) {
      assert.equal(await trained(node, workspace.path(`${engine}-${major}`), engine, '--local-workers', '1', '--listen', '127.0.0.1:0'), digests.get(engine), engine)
      assert.equal(await predicted(node, engine), predictions.get(engine), engine)
    }
    // The variable by which the test runner marks its children would make this test run a part of it.
    const environment = { ...process.env }
    delete environment['NODE_TEST_CONTEXT']
    if (withoutNative === false) await promisify(execFile)(node, ['--test', EAGER_TEST], { env: environment })
  })
}
