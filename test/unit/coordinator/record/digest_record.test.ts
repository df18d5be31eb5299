import assert from 'node:assert/strict'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { auditedStepsOf, DigestRecord } from '../../../../coordinator/record/digest_record.ts'
import { parameterDigest } from '../../../../shared/checkpoint/checkpoint.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { laneDigest } from '../../../../shared/lanes/audited_steps.ts'
import type { LaneReport } from '../../../../shared/lanes/lane_report.ts'
import { article } from '../../../../shared/recipe/presets.ts'
import { RunFolder } from '../../../../shared/run_folder/run_folder.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'

const recipe = { ...article, engine: 'wasm', lanes: 2 } as const
const audit = { every: 2, stepsPerEpoch: 5 }
const weightsAfter = (step: number): Float32Array => new Float32Array(100).fill(step)
const reportsOf = (step: number): LaneReport[] => [0, 1].map((lane) => ({ lane, lossSum: 1, correct: 0, samples: 1, seconds: 0, notFinite: false, digest: laneDigest(new Float32Array([step, lane])) }))
const positionAt = (step: number) => ({ epoch: Math.floor(step / 5) + 1, stepInEpoch: step % 5, step })

/** A run whose weights are the number of its steps. */
class Run {
  readonly folder: RunFolder
  readonly record: DigestRecord
  step = 0

  constructor(folder: RunFolder) {
    this.folder = folder
    this.record = new DigestRecord({
      folder, audit, recipe, datasetDigest: 'd'.repeat(64), append: (line) => void folder.digests.append(line),
      weights: { parameters: () => Promise.resolve(weightsAfter(this.step)) },
    })
  }

  /** Goes on from a step, as after a crash. @returns what a user is told */
  static async from(folder: RunFolder, step: number): Promise<{ run: Run; told: string | undefined }> {
    const run = new Run(folder)
    run.step = step
    await folder.repair()
    return { run, told: await run.record.begin(positionAt(step)) }
  }

  async trainTo(step: number): Promise<void> {
    while (this.step < step) {
      const at = positionAt(this.step++)
      await this.record.step(at, reportsOf(at.step))
    }
    await this.record.kept()
  }
}

async function newFolder(context: TestContext): Promise<RunFolder> {
  return RunFolder.create(`${await temporaryFolder(context)}/run`, () => new Date())
}

const textOf = (folder: RunFolder): Promise<string> => readFile(folder.digestsFile, 'utf8')

/** The text of the chain of an undisturbed run of twelve steps. */
async function undisturbed(context: TestContext): Promise<string> {
  const { run } = await Run.from(await newFolder(context), 0)
  await run.trainTo(12)
  return textOf(run.folder)
}

test('every so many steps and at the end of each epoch, the weights after the step and its lanes are noted', async (context) => {
  const { run, told } = await Run.from(await newFolder(context), 0)
  assert.equal(told, undefined)
  await run.trainTo(12)
  const chain = await run.folder.readChain()
  assert.deepEqual(chain?.links.map(({ step }) => step), [2, 4, 5, 6, 8, 10, 12])
  assert.equal(chain.beginning.weights, parameterDigest(weightsAfter(0)))
  for (const { step, weights, lanes } of chain.links) {
    assert.equal(weights, parameterDigest(weightsAfter(step)))
    assert.deepEqual(lanes, reportsOf(step - 1).map(({ digest }) => digest))
  }
  assert.deepEqual(await run.record.kept(), chain.head)
})

test('a run that goes on from any step comes to the chain of an undisturbed one, whatever it had noted before it crashed', async (context) => {
  const whole = await undisturbed(context)
  for (const [crashed, from] of [[9, 8], [9, 5], [7, 7], [12, 0], [6, 1]]) {
    const { run: before } = await Run.from(await newFolder(context), 0)
    await before.trainTo(crashed)
    await appendFile(before.folder.digestsFile, '{"step":')
    const { run, told } = await Run.from(before.folder, from)
    assert.equal(told, undefined)
    await run.trainTo(12)
    assert.equal(await textOf(run.folder), whole, `crashed after step ${crashed}, went on from ${from}`)
  }
})

test('a chain that lacks lines, or contradicts itself, is not continued: a new one begins, and a user is told', async (context) => {
  const spoils: [RegExp, (text: string) => string][] = [
    [/lacks step 6\. A new chain of digests begins at step 8/, (text) => `${text.split('\n').slice(0, 4).join('\n')}\n`],
    [/line 2, does not follow on the line before it.* A new chain of digests begins at step 8/, (text) => text.replace(/"weights":"\w{4}/, '"weights":"0000')],
    [/line 2, is not JSON\. A new chain/, (text) => text.replace(/\n/, '\nno json\n')],
  ]
  for (const [told, spoil] of spoils) {
    const { run: before } = await Run.from(await newFolder(context), 0)
    await before.trainTo(9)
    await writeFile(before.folder.digestsFile, spoil(await textOf(before.folder)))
    const begun = await Run.from(before.folder, 8)
    assert.match(begun.told ?? '', told)
    await begun.run.trainTo(12)
    const chain = await before.folder.readChain()
    assert.equal(chain?.beginning.from, 8)
    assert.deepEqual(chain.links.map(({ step }) => step), [10, 12])
  }
})

test('a run that goes on keeps the interval that it began with', async (context) => {
  const { run: { folder } } = await Run.from(await newFolder(context), 0)
  assert.deepEqual(await auditedStepsOf(folder, 50, false, 5), audit)
  assert.deepEqual(await auditedStepsOf(folder, 2, true, 5), audit)
  await assert.rejects(auditedStepsOf(folder, 3, true, 5), (error: unknown) => error instanceof UsageError && /--audit-every 3: the run began with 2/.test(error.message))
  assert.equal(await auditedStepsOf(undefined, 0, true, 5), undefined)
  assert.deepEqual(await auditedStepsOf(await newFolder(context), 50, false, 5), { every: 50, stepsPerEpoch: 5 })
})

test('weights that cannot be had leave no gap behind: nothing more is noted, and no checkpoint is saved', async (context) => {
  const folder = await newFolder(context)
  let lost = false
  const record = new DigestRecord({
    folder, audit, recipe, datasetDigest: 'd'.repeat(64), append: (line) => void folder.digests.append(line),
    weights: { parameters: () => (lost ? Promise.reject(new Error('a reducer is lost')) : Promise.resolve(weightsAfter(0))) },
  })
  await record.begin(positionAt(0))
  lost = true
  await record.step(positionAt(1), reportsOf(1))
  lost = false
  await record.step(positionAt(3), reportsOf(3))
  await assert.rejects(record.kept(), /a reducer is lost/)
  assert.deepEqual((await folder.readChain())?.links, [])
})
