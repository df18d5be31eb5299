import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Summary } from '../../shared/run_folder/schemas.ts'
import { run } from '../support/processes.ts'
import { createWorkspace, drawAnimals, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'
import { damagedCheckpoints, herdIn, jsonLines, makeCheckpoint } from './fixture.ts'

interface Report {
  split: string
  images: number
  loss: number
  accuracy: number
  withFlips?: { loss: number; accuracy: number }
  perClass: Record<string, { images: number; correct: number; accuracy: number }>
  confusion: number[][]
  classes: string[]
  engine: string
  precision: string
  epoch: number
}

/** Precision of the run: bf16 if the native engine is there, so that a forgotten setting of the run would show. */
const precision = withoutNative === false ? 'bf16' : 'f32'
const TEST_FRACTION = '0.45'

describe('herd evaluate', { concurrency: 2 }, () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  let data: string
  let summary: Summary
  let checkpoint: string
  const reports: Record<string, Report> = {}

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    data = await drawAnimals(workspace.path('drawn'), 10)
    const out = workspace.path('run')
    const trained = await run('coordinator', ['--single-node', '--data', data, '--out', out, '--model', 'tiny', '--image-size', '32', '--epochs', '1', '--batch', '16', '--lr', '1e-2', '--precision', precision, '--test-fraction', TEST_FRACTION], workspace.environment)
    assert.equal(trained.code, 0, trained.stderr)
    summary = await summaryOf(out)
    checkpoint = path.join(out, 'checkpoints/latest.ckpt')
    await Promise.all(
      ['test', 'train', 'all'].map(async (split) => {
        const { code, stdout, stderr } = await herd(['evaluate', '--checkpoint', checkpoint, '--data', data, '--split', split, '--json', ...(split === 'test' ? ['--flips'] : [])])
        assert.equal(code, 0, stderr)
        assert.doesNotMatch(stderr, /\] (INFO|WARN|ERROR):/)
        reports[split] = jsonLines(stdout)[0] as Report
      }),
    )
  })
  after(() => workspace.remove())

  it('is exactly what the run reported', () => {
    const { test } = reports
    assert.equal(test.loss, summary.testLoss)
    assert.equal(test.accuracy, summary.testAccuracy)
    assert.deepEqual(test.perClass, summary.perClass)
    assert.deepEqual({ engine: test.engine, precision: test.precision, epoch: test.epoch }, { engine: summary.engine, precision, epoch: 1 })
  })

  it('reports averages with mirror images beside the plain result, where they are asked for', () => {
    const { test, train } = reports
    assert.ok(test.withFlips !== undefined && test.withFlips.loss !== test.loss)
    // The loss is convex in logits, so that of averaged ones is at most the mean of both, and near the plain one for animals that look either way.
    assert.ok(Math.abs(test.withFlips.loss - test.loss) < 0.2 * test.loss, `${test.withFlips.loss} beside ${test.loss}`)
    assert.equal(train.withFlips, undefined)
  })

  it('takes the splits apart', () => {
    const { test, train, all } = reports
    assert.equal(test.images + train.images, all.images)
    assert.equal(all.images, 100)
    assert.ok(test.images > 32, 'more than one block')
    for (const { loss, accuracy, confusion, images, classes, perClass } of [test, train, all]) {
      assert.ok(loss > 0)
      assert.equal(confusion.flat().reduce((a, b) => a + b, 0), images)
      assert.equal(accuracy, confusion.reduce((sum, row, index) => sum + row[index], 0) / images)
      assert.deepEqual(Object.keys(perClass), classes)
    }
    const addedUp = test.loss * test.images + train.loss * train.images
    assert.ok(Math.abs(addedUp - all.loss * all.images) < 1e-3 * addedUp)
  })

  it('prints a table for people, with the options in the environment', async () => {
    const { code, stdout, stderr } = await herd(['evaluate'], { HERD_CHECKPOINT: checkpoint, HERD_DATA: data })
    assert.equal(code, 0, stderr)
    const lines = stdout.trimEnd().split('\n')
    assert.match(lines[0], /^class +images +correct +accuracy$/)
    assert.match(lines[1], new RegExp(`^cane \\(dog\\) +${summary.perClass['cane'].images} +${summary.perClass['cane'].correct} `))
    assert.equal(lines.length, 13)
    assert.equal(lines[12], `test split: ${reports.test.images} images  loss ${summary.testLoss.toFixed(4)}  accuracy ${(summary.testAccuracy * 100).toFixed(1)} %`)
  })

  it('herd report says the same of the test set on a page, with what the run itself does not compute', async () => {
    const out = workspace.path('pages', 'report.html')
    const { code, stdout, stderr } = await herd(['report', workspace.path('run'), '--out', out])
    assert.deepEqual([code, stdout], [0, `${out}\n`], stderr)
    const page = await readFile(out, 'utf8')
    const { loss, accuracy, images } = reports.test
    assert.ok(page.includes(`with the weights of step ${summary.steps} (epoch 1), by `) && page.includes(`: loss ${loss.toFixed(4)}, accuracy ${(100 * accuracy).toFixed(1)} %.`), page)
    assert.match(page, new RegExp(`expected calibration error [\\d.]+ % over ${images} test images`))
    assert.doesNotMatch(page, /class="missing"/)
  })

  it('herd report makes do with the files of the run where its images are gone, and takes no others for them', async () => {
    const moved = workspace.path('moved')
    await cp(workspace.path('run'), moved, { recursive: true })
    const config = JSON.parse(await readFile(path.join(moved, 'config.json'), 'utf8')) as object
    await writeFile(path.join(moved, 'config.json'), JSON.stringify({ ...config, data: workspace.path('nowhere') }))
    const fewer = workspace.path('report-fewer')
    await cp(data, fewer, { recursive: true })
    await rm(path.join(fewer, 'ragno'), { recursive: true })
    const [without, asIs, wrong, given] = await Promise.all([
      herd(['report', moved]), herd(['report', moved, '--as-is', '--out', workspace.path('as-is.html')]), herd(['report', moved, '--data', fewer, '--out', workspace.path('wrong.html')]), herd(['report', moved, '--data', data, '--out', workspace.path('given.html')]),
    ])
    assert.equal(without.code, 0, without.stderr)
    assert.match(without.stderr, /nowhere .*The report has what the run's files tell\./)
    assert.match(await readFile(path.join(moved, 'report.html'), 'utf8'), /class="missing"[^]*<code>npx herd report /)
    assert.deepEqual([asIs.code, asIs.stderr, given.code], [0, '', 0], given.stderr)
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /^error: The images in .*report-fewer are not those of the run/m)
    await assert.rejects(readFile(workspace.path('wrong.html')))
  })

  it('herd compare prints the figures of runs, and writes their page', async () => {
    const out = workspace.path('pages', 'compare.html')
    const [table, json, lone, nowhere] = await Promise.all([
      herd(['compare', workspace.path('run'), workspace.path('run'), '--out', out]), herd(['compare', workspace.path('run'), workspace.path('run'), '--json']), herd(['compare', workspace.path('run')]), herd(['compare', workspace.path('run'), data]),
    ])
    assert.equal(table.code, 0, table.stderr)
    assert.match(table.stdout, new RegExp(`^run +state +epochs +accuracy .*\\n\\S+ +finished +1 +${(100 * summary.testAccuracy).toFixed(1)}[^]*${summary.digest.slice(0, 12)}[^]*Their recipes are the same\\.[^]*${out}\\n$`))
    assert.match(await readFile(out, 'utf8'), /<title>2 runs compared · Herd<\/title>/)
    const { runs } = JSON.parse(json.stdout) as { runs: { digest: string; testAccuracy: number }[] }
    assert.deepEqual(runs.map(({ digest, testAccuracy }) => [digest, testAccuracy]), [[summary.digest, summary.testAccuracy], [summary.digest, summary.testAccuracy]])
    assert.deepEqual([lone.code, nowhere.code], [2, 2])
    assert.match(lone.stderr, /^error: 1 folder: expected those of 2 to 24 runs\./)
    assert.match(nowhere.stderr, /^error: .* has no run: expected the folder of a run/)
  })

  it('tells when the images are not those of the run, and which are left out', async () => {
    const other = workspace.path('other')
    await cp(data, other, { recursive: true })
    await writeFile(path.join(other, 'cane/broken.jpeg'), 'no image')
    const { code, stdout, stderr } = await herd(['evaluate', '--checkpoint', checkpoint, '--data', other, '--json'])
    assert.equal(code, 0, stderr)
    assert.equal((jsonLines(stdout)[0] as Report).loss, summary.testLoss, 'the same images but one that cannot be read')
    assert.match(stderr, /not the images, or not the split, of the run/)
    assert.match(stderr, /1 unreadable image left out/)
  })

  it('refuses a data set of other classes', async () => {
    const fewer = workspace.path('fewer')
    await cp(data, fewer, { recursive: true })
    await rm(path.join(fewer, 'ragno'), { recursive: true })
    const other = await makeCheckpoint(workspace.path('three-classes.ckpt'))
    const [lacking, tooMany] = await Promise.all([
      herd(['evaluate', '--checkpoint', checkpoint, '--data', fewer]),
      herd(['evaluate', '--checkpoint', other, '--data', data]),
    ])
    for (const { code, stdout } of [lacking, tooMany]) assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(lacking.stderr, /latest\.ckpt was trained on other classes: only it has ragno\./)
    assert.match(tooMany.stderr, /three-classes\.ckpt was trained on other classes: only the data has cavallo, elefante/)
  })

  it('refuses what cannot be evaluated', async () => {
    const oneClass = workspace.path('one-class')
    await cp(path.join(data, 'gatto'), path.join(oneClass, 'gatto'), { recursive: true })
    const [, truncated] = await damagedCheckpoints(checkpoint, workspace.folder)
    const cases: [args: string[], code: number, says: RegExp][] = [
      [['--checkpoint', checkpoint], 2, /^error: --data is missing: expected a folder of images/],
      [['--checkpoint', checkpoint, '--data', data, '--test-fraction', '1.5'], 2, /^error: --test-fraction 1\.5: expected a number above 0 and below 1\./],
      [['--checkpoint', checkpoint, '--data', data, '--split', 'half'], 2, /^error: --split half: expected one of test, train, all\./],
      [['--checkpoint', checkpoint, '--data', oneClass], 1, /^error: data folder .*one-class has only one class, gatto/],
      [['--checkpoint', truncated.file, '--data', data], 1, truncated.says],
    ]
    await Promise.all(
      cases.map(async ([args, expected, says]) => {
        const { code, stdout, stderr } = await herd(['evaluate', ...args])
        assert.deepEqual({ code, stdout }, { code: expected, stdout: '' }, stderr)
        assert.match(stderr, says)
        assert.ok(stderr.trimEnd().split('\n').length <= 2, stderr)
      }),
    )
  })
})
