import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { machineFingerprintSchema } from '../../cli/commands/fingerprint.ts'
import { NODE_ENVIRONMENT, NODE_OPTIONS } from '../../shared/kit/node_process.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { shortOrLong } from '../runner/long_forms.ts'
import { arithmeticSample } from '../support/arithmetic_sample.ts'
import { run, Program, type Ended } from '../support/processes.ts'
import { EVERYWHERE } from '../support/same_everywhere.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

/**
 * Tests that Herd on ARM64 computes what it computes here: with Node.js for that processor, whose instructions QEMU carries out one by one, and with its own build of
 * the decoder of images. A whole run takes 45 seconds of processor time for each version of Node.js, so that only the long form has them; the short one computes a sample.
 */
const parts = new Map(execFileSync('bash', [path.join(ROOT, '.ci/install-arm64'), '--no-install'], { encoding: 'utf8' }).split('\n').map((line) => line.split(' ') as [string, string]))
const quick = ['--model', 'tiny', '--image-size', '64', '--epochs', '2', '--batch', '8', '--lanes', '6', '--seed', '7', '--test-fraction', '0.5', '--init', 'he', '--engine', 'wasm', '--single-node']
/** Command that is put before that of Node.js for ARM64. */
const emulator = ['nice', '-n', '10', parts.get('emulator') ?? '', '-L', parts.get('root') ?? '']

let workspace: Workspace
before(async () => {
  workspace = await createWorkspace()
})
after(() => workspace.remove())

function missing(...names: string[]): string | false {
  const absent = ['emulator', 'root', ...names].filter((name) => !parts.has(name))
  return absent.length === 0 ? false : `what emulates ARM64 is not installed for the tests (${absent.join(', ')}): .ci/install-arm64 does it`
}

test('on ARM64 the wasm engine, and what JavaScript computes, have the bits that they have here', { skip: missing('24') }, async () => {
  const [command, ...args] = [...emulator, parts.get('24') ?? '', ...NODE_OPTIONS, path.join(ROOT, 'dist/test/support/arithmetic_sample.js')]
  const { stdout } = await promisify(execFile)(command, args, { env: { ...process.env, ...NODE_ENVIRONMENT } })
  const here = await arithmeticSample()
  assert.deepEqual(JSON.parse(stdout), here)
  assert.equal(here['gradient'], EVERYWHERE.wasm)
})

/** Makes a copy of the project whose packages are this one's, except for the decoder's addon, which is the one for ARM64. */
function projectForArm(addons: string, copy: string): void {
  const packages = path.join(ROOT, 'node_modules')
  mkdirSync(path.join(copy, 'node_modules', '@img'), { recursive: true })
  // Without its tsconfig.json, it is an installed package, and compiles nothing.
  for (const name of ['bin', 'dist', 'shared', 'proto', 'package.json']) cpSync(path.join(ROOT, name), path.join(copy, name), { recursive: true })
  for (const name of readdirSync(packages).filter((each) => !each.startsWith('.') && !['sharp', '@img'].includes(each))) symlinkSync(path.join(packages, name), path.join(copy, 'node_modules', name))
  for (const [from, name] of [[packages, 'sharp'], [packages, '@img/colour'], [path.dirname(addons), '@img/sharp-linux-arm64'], [path.dirname(addons), '@img/sharp-libvips-linux-arm64']]) {
    cpSync(path.join(from, name), path.join(copy, 'node_modules', name), { recursive: true })
  }
}

function outcomeOf({ digest, trainLoss, testLoss }: { digest: string; trainLoss: number; testLoss: number }): Record<string, string | number> {
  return { digest, trainLoss, testLoss }
}

for (const major of shortOrLong([], ['20', '22', '24', '26'])) {
  test(`on ARM64 with Node.js ${major}, weights and losses, decoded images and fingerprints are those of this machine`, { skip: missing(major, 'addons') }, async () => {
    const data = await drawAnimals(workspace.path('drawn', major), 5)
    const ended = await run('coordinator', ['--data', data, '--out', workspace.path('here', major), ...quick], workspace.environment)
    assert.equal(ended.code, 0, ended.stderr)
    const project = workspace.path('arm64', major)
    projectForArm(parts.get('addons') ?? '', project)
    const emulated = (name: 'coordinator' | 'herd', args: readonly string[]): Promise<Ended> =>
      new Program(name, args, { ...workspace.environment, HERD_CACHE: workspace.path('cache', major) }, emulator, { node: parts.get(major) ?? '', project }).ended
    const told = await emulated('herd', ['fingerprint', '--json', '--engine', 'wasm'])
    assert.equal(told.code, 0, told.stderr)
    const { versions, input, numerics } = machineFingerprintSchema.parse(JSON.parse(told.stdout))
    assert.deepEqual([versions.platform, versions.node.split('.')[0]], ['linux-arm64', `v${major}`])
    assert.deepEqual([input, numerics[0].fingerprint], [EVERYWHERE.input, EVERYWHERE.wasm])
    const there = await emulated('coordinator', ['--data', data, '--out', workspace.path('there', major), ...quick])
    assert.equal(there.code, 0, there.stderr)
    assert.deepEqual(outcomeOf(await summaryOf(workspace.path('there', major))), outcomeOf(await summaryOf(workspace.path('here', major))))
    await rm(project, { recursive: true })
  })
}
