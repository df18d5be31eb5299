import assert from 'node:assert/strict'
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createWorkspace, type Workspace } from '../support/workspace.ts'
import { herdIn, jsonLines } from './fixture.ts'

interface Report {
  usable: boolean
  error?: string
  images: number
  train: number
  test: number
  classes: Record<string, { train: number; test: number }>
  unreadable: { path: string; reason: string }[]
  digest: string
}

describe('herd data', { concurrency: 2 }, () => {
  let workspace: Workspace
  let herd: ReturnType<typeof herdIn>
  let drawn: string

  before(async () => {
    workspace = await createWorkspace()
    herd = herdIn(workspace)
    drawn = workspace.path('drawn')
    const { code, stdout, stderr } = await herd(['data', 'draw', '--out', drawn, '--per-class', '10', '--seed', '1'])
    assert.equal(code, 0, stderr)
    assert.equal(stdout, `${drawn}/raw-img: 100 images, seed 1.\n`)
  })
  after(() => workspace.remove())

  it('draw: repeats for nothing, completes what is there, and mixes no seeds', async () => {
    const folder = workspace.path('completed')
    await cp(drawn, folder, { recursive: true, preserveTimestamps: true })
    const first = path.join(folder, 'raw-img/gatto/gatto-0001.jpeg')
    const before = await stat(first)
    await rm(path.join(folder, 'raw-img/gatto/gatto-0002.jpeg'))
    const again = await herd(['data', 'draw', '--out', folder, '--per-class', '11', '--seed', '1'])
    assert.deepEqual({ code: again.code, stdout: again.stdout }, { code: 0, stdout: `${folder}/raw-img: 110 images, seed 1.\n` }, again.stderr)
    assert.equal((await stat(first)).mtimeMs, before.mtimeMs)
    assert.equal((await readdir(path.join(folder, 'raw-img/gatto'))).length, 11)
    const restored = 'raw-img/gatto/gatto-0002.jpeg'
    assert.deepEqual(await readFile(path.join(folder, restored)), await readFile(path.join(drawn, restored)))

    const other = await herd(['data', 'draw', '--out', folder, '--per-class', '11', '--seed', '2'])
    assert.equal(other.code, 1)
    assert.match(other.stderr, /^error: .*holds drawings of seed 1, asked for 2/)
  })

  it('draw: refuses wrong options and a folder of other things', async () => {
    const foreign = workspace.path('foreign')
    await mkdir(foreign)
    await writeFile(path.join(foreign, 'thesis.txt'), 'mine')
    const cases: [args: string[], code: number, says: RegExp][] = [
      [[], 2, /^error: --out is missing: expected a folder for the images/],
      [['--out', workspace.path('never'), '--per-class', '0'], 2, /^error: --per-class 0: expected a whole number from 1 to 9999/],
      [['--out', workspace.path('never'), '--seed', 'x'], 2, /^error: --seed x: expected a whole number from 0 to 4294967295/],
      [['--out', foreign], 1, /^error: .*foreign is not empty \(it has thesis\.txt\)/],
    ]
    await Promise.all(
      cases.map(async ([args, expected, says]) => {
        const { code, stdout, stderr } = await herd(['data', 'draw', ...args])
        assert.deepEqual({ code, stdout }, { code: expected, stdout: '' }, stderr)
        assert.match(stderr, says)
      }),
    )
    await assert.rejects(stat(workspace.path('never')), { code: 'ENOENT' })
    assert.deepEqual(await readdir(foreign), ['thesis.txt'])
  })

  it('check: counts classes and digests, for people and for machines', async () => {
    const [people, machines] = await Promise.all([
      herd(['data', 'check', drawn, '--test-fraction', '0.5']),
      herd(['data', 'check', drawn, '--json'], { HERD_TEST_FRACTION: '0.5' }),
    ])
    assert.equal(people.code, 0, people.stderr)
    assert.equal(machines.code, 0, machines.stderr)
    const report = jsonLines(machines.stdout)[0] as Report
    assert.equal(report.usable, true)
    assert.equal(report.images, 100)
    assert.equal(report.train + report.test, 100)
    assert.equal(Object.keys(report.classes).length, 10)
    for (const { train, test } of Object.values(report.classes)) assert.equal(train + test, 10)
    assert.match(report.digest, /^[0-9a-f]{64}$/)
    assert.deepEqual(report.unreadable, [])

    const lines = people.stdout.trimEnd().split('\n')
    assert.equal(lines[0], `${drawn}/raw-img: 100 images in 10 classes`)
    assert.match(lines[2], /^class +train +test$/)
    const { train, test } = report.classes['cane']
    assert.match(lines[3], new RegExp(`^cane \\(dog\\) +${train} +${test}$`))
    assert.match(lines[13], new RegExp(`^total +${report.train} +${report.test}$`))
    assert.equal(lines.at(-1), `digest ${report.digest}`)
  })

  it('check: names unreadable files with reasons, and is content when the rest will do', async () => {
    const folder = workspace.path('damaged')
    await cp(drawn, folder, { recursive: true })
    await writeFile(path.join(folder, 'raw-img/cane/a-text.jpg'), 'this is text')
    await writeFile(path.join(folder, 'raw-img/ragno/nothing.png'), '')
    const [people, machines] = await Promise.all([
      herd(['data', 'check', folder, '--test-fraction', '0.5']),
      herd(['data', 'check', folder, '--test-fraction', '0.5', '--json']),
    ])
    assert.equal(people.code, 0, people.stderr)
    assert.match(people.stdout, /2 unreadable files, left out of training and testing:\n {2}cane\/a-text\.jpg cannot be decoded: .*unsupported image format.*\n {2}ragno\/nothing\.png is empty/)
    const { usable, images, unreadable } = jsonLines(machines.stdout)[0] as Report
    assert.deepEqual({ usable, images, paths: unreadable.map((one) => one.path) }, { usable: true, images: 100, paths: ['cane/a-text.jpg', 'ragno/nothing.png'] })
  })

  it('check: exits with 1 when a set cannot be trained on', async () => {
    const empty = workspace.path('empty')
    const oneClass = workspace.path('one-class')
    const file = workspace.path('file')
    await mkdir(empty)
    await cp(path.join(drawn, 'raw-img/cane'), path.join(oneClass, 'cane'), { recursive: true })
    await writeFile(file, '')
    const cases: [folder: string, code: number, says: RegExp][] = [
      [workspace.path('nowhere'), 1, /nowhere does not exist/],
      [empty, 1, /empty holds no folders with images/],
      [oneClass, 1, /one-class has only one class, cane/],
      [file, 1, /file is not a folder/],
    ]
    await Promise.all(
      cases.map(async ([folder, expected, says]) => {
        const { code, stdout, stderr } = await herd(['data', 'check', folder, '--json'])
        assert.equal(code, expected, stderr)
        const report = jsonLines(stdout)[0] as Report
        assert.equal(report.usable, false)
        assert.match(report.error ?? '', says)
        assert.match(stderr, says)
      }),
    )
  })
})
