import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { sweepSchema, type Sweep } from '../../shared/run_folder/sweep.ts'
import { jsonLines } from './fixture.ts'
import { Program, run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, type Workspace } from '../support/workspace.ts'

let workspace: Workspace

before(async () => {
  workspace = await createWorkspace()
  await drawAnimals(workspace.path('drawn'), 10)
})
after(() => workspace.remove())

/** Three trials, of which the last diverges at once; the better of the other two goes on after an epoch. */
const spec = (): object => ({
  data: workspace.path('drawn'), validation: 0.5,
  overrides: { model: 'tiny', imageSize: 32, batch: 8, lanes: 2, epochs: 2, engine: 'wasm', testFraction: 0.4, optimizer: { name: 'sgd', momentum: 0.9 }, schedule: { name: 'cosine' } },
  search: { name: 'grid', over: { lr: [0.003, 0.01, 1e38] } },
  halving: { epochs: [1], keep: 0.34 }, parallel: 2,
})

async function sweepIn(out: string): Promise<Sweep> {
  return sweepSchema.parse(JSON.parse(await readFile(workspace.path(out, 'sweep.json'), 'utf8')))
}

test('a sweep that is stopped goes on where it was; it names the trial that fails, and the best has the weights of a run that was never halted', { timeout: 240_000 }, async () => {
  const file = workspace.path('lr.json')
  await writeFile(file, JSON.stringify(spec()))
  const args = ['sweep', file, '--out', workspace.path('lr')]
  // Options in the environment are for runs that are started by hand; trials have those of the file.
  const environment = { ...workspace.environment, HERD_EPOCHS: '7', HERD_LR: '5' }

  const first = new Program('herd', args, environment)
  const [, number] = await first.said(/trial ([12]) of 3, seed 0: accuracy .* after 1 epoch in .* \(lr 0\.\d+\)/)
  const stopped = await first.stop('SIGTERM')
  assert.equal(stopped.code, 143, stopped.stderr)
  assert.match(stopped.stderr, /SIGTERM: the runs that go on save and end/)
  assert.match(stopped.stdout, /Stopped: the same command goes on\./)
  assert.equal((await sweepIn('lr')).state, 'stopped')

  const second = await run('herd', [...args, '--json'], environment)
  assert.equal(second.code, 1, 'a trial has failed')
  assert.doesNotMatch(second.stderr, new RegExp(`trial ${number} of 3, seed 0: accuracy .* after 1 epoch`), 'what is done is not done again')
  assert.match(second.stderr, /trial 3 of 3, seed 0 failed \(lr 1e\+38\): exit code 1\. The last of \S+seed-0\.log:\n(.*\n)* {2}error: step \d+, in epoch 1: the gradient .* is not finite/)
  assert.match(second.stderr, /After 1 epoch, 1 of 3 trials go on: [12]\./)
  const sweep = await sweepIn('lr')
  assert.deepEqual(jsonLines(second.stdout), [sweep])
  const [best] = sweep.trials
  assert.equal(sweep.state, 'finished')
  assert.deepEqual(sweep.trials.map(({ state, epochs }) => [state, epochs]), [['finished', 2], ['halted', 1], ['failed', 0]])
  assert.ok(sweep.data.training > 0 && sweep.data.validation > 0 && sweep.data.training + sweep.data.validation + sweep.data.heldOut === 100)
  assert.match(await readFile(workspace.path('lr', 'sweep.html'), 'utf8'), /<title>lr · sweep · Herd<\/title>/)
  assert.equal((await readFile(workspace.path('lr', 'sweep.csv'), 'utf8')).trimEnd().split('\n').length, 4)
  const recipe = JSON.parse(await readFile(workspace.path('lr', 'best.json'), 'utf8')) as Record<string, unknown>
  assert.deepEqual([recipe['lr'], recipe['testFraction'], recipe['schedule']], [best.settings['lr'], 0.4, { name: 'cosine', warmupEpochs: 0, floor: 0, epochs: 2 }])

  // Hashes of the images that trials see begin at 0.4; half of them are below 0.7.
  const straight = await run('coordinator', ['--data', workspace.path('lr', 'images'), '--test-fraction', '0.7', '--recipe', workspace.path('lr', 'best.json'), '--out', workspace.path('straight'), '--single-node'], workspace.environment)
  assert.equal(straight.code, 0, straight.stderr)
  assert.equal((await summaryOf(workspace.path('lr', best.runs[0].folder))).digest, (await summaryOf(workspace.path('straight'))).digest)

  const changed = workspace.path('changed.json')
  await writeFile(changed, JSON.stringify({ ...spec(), validation: 0.4 }))
  const refused = await run('herd', ['sweep', changed, '--out', workspace.path('lr')], environment)
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /validation: 0\.4: the sweep in \S+ began with 0\.5, and its trials can be compared on the same images only/)
})
