import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { DRAWN_CLASSES } from '../../../../cli/draw/animal.ts'
import { drawDataset, STAMP_FILE } from '../../../../cli/draw/dataset.ts'
import { DataError, UsageError } from '../../../../shared/kit/errors.ts'

async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'herd-draw-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** The bytes of every file below the folder, in base64, by its relative path. */
async function contents(folder: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    found.set(path.relative(folder, file), (await readFile(file)).toString('base64'))
  }
  return found
}

test('draws the layout of Animals-10, the same for the same seed, others for another', async (context) => {
  const [one, two, other] = [await temporaryFolder(context), await temporaryFolder(context), await temporaryFolder(context)]
  const progress: string[] = []
  const drawn = await drawDataset({ out: one, perClass: 2, seed: 9, onProgress: (done, total) => progress.push(`${done}/${total}`) })
  assert.deepEqual(drawn, { images: 20, folder: path.join(one, 'raw-img') })
  assert.deepEqual(progress, Array.from({ length: 20 }, (_, i) => `${i + 1}/20`))
  assert.deepEqual((await readdir(drawn.folder)).sort(), [...DRAWN_CLASSES])
  for (const name of DRAWN_CLASSES) assert.deepEqual((await readdir(path.join(drawn.folder, name))).sort(), [`${name}-0001.jpeg`, `${name}-0002.jpeg`])

  await drawDataset({ out: two, perClass: 2, seed: 9 })
  assert.deepEqual(await contents(two), await contents(one))
  await drawDataset({ out: other, perClass: 2, seed: 10 })
  const [nine, ten] = [await contents(one), await contents(other)]
  for (const [file, bytes] of nine) assert.notEqual(ten.get(file), bytes, file)
})

test('a second time draws nothing; more per class only adds files', async (context) => {
  const out = await temporaryFolder(context)
  await drawDataset({ out, perClass: 1, seed: 3 })
  const before = await contents(out)
  const file = path.join(out, 'raw-img', 'gatto', 'gatto-0001.jpeg')
  const { mtimeMs } = await stat(file)
  const again = await drawDataset({ out, perClass: 1, seed: 3, onProgress: () => assert.fail('nothing is left to draw') })
  assert.equal(again.images, 10)
  assert.deepEqual(await contents(out), before)

  assert.equal((await drawDataset({ out, perClass: 3, seed: 3 })).images, 30)
  assert.equal((await stat(file)).mtimeMs, mtimeMs)
  const after = await contents(out)
  assert.equal(after.size, 31)
  for (const [name, bytes] of before) if (name !== STAMP_FILE) assert.equal(after.get(name), bytes)
})

test('completes a partly drawn folder to the same bytes', async (context) => {
  const out = await temporaryFolder(context)
  await drawDataset({ out, perClass: 2, seed: 4 })
  const whole = await contents(out)
  await rm(path.join(out, 'raw-img', 'ragno'), { recursive: true })
  await rm(path.join(out, 'raw-img', 'pecora', 'pecora-0002.jpeg'))
  const left: number[] = []
  await drawDataset({ out, perClass: 2, seed: 4, onProgress: (done) => left.push(done) })
  assert.deepEqual(left, [18, 19, 20])
  assert.deepEqual(await contents(out), whole)
})

test('refuses values out of range before it touches the disk', async (context) => {
  const out = path.join(await temporaryFolder(context), 'new')
  for (const perClass of [0, -1, 1.5, Number.NaN, 10_000]) {
    await assert.rejects(drawDataset({ out, perClass, seed: 0 }), (thrown) => thrown instanceof UsageError && /--per-class .* from 1 to 9999/.test(thrown.message))
  }
  for (const seed of [-1, 0.5, 2 ** 32]) {
    await assert.rejects(drawDataset({ out, perClass: 1, seed }), (thrown) => thrown instanceof UsageError && /--seed .* from 0 to 4294967295/.test(thrown.message))
  }
  await assert.rejects(stat(out), { code: 'ENOENT' })
})

test('refuses a folder that holds anything else, and leaves it as it was', async (context) => {
  const out = await temporaryFolder(context)
  await drawDataset({ out, perClass: 1, seed: 1 })
  const before = await contents(out)
  const refuses = (options: { perClass: number; seed: number }, expected: RegExp): Promise<void> =>
    assert.rejects(drawDataset({ out, ...options }), (thrown) => thrown instanceof DataError && expected.test(thrown.message))
  await drawDataset({ out, perClass: 2, seed: 1 })
  await refuses({ perClass: 2, seed: 2 }, /seed 1, asked for 2; use --seed 1/)
  await refuses({ perClass: 1, seed: 1 }, /2 per class, asked for 1; use --per-class 2/)

  const stranger = path.join(out, 'raw-img', 'gatto', 'holiday.jpeg')
  await writeFile(stranger, 'mine')
  await refuses({ perClass: 3, seed: 1 }, /holiday\.jpeg was not drawn by this program; move it/)
  assert.equal((await contents(out)).size, 22)
  await rm(stranger)
  await mkdir(path.join(out, 'raw-img', 'panda'))
  await refuses({ perClass: 2, seed: 1 }, /panda was not drawn/)
  await rm(path.join(out, 'raw-img', 'panda'), { recursive: true })

  await writeFile(path.join(out, STAMP_FILE), '{"seed": 1}')
  await refuses({ perClass: 2, seed: 1 }, /\.drawn\.json is damaged/)
  await rm(path.join(out, STAMP_FILE))
  await refuses({ perClass: 2, seed: 1 }, /is not empty \(it has raw-img\)/)
  for (const [name, bytes] of before) if (name !== STAMP_FILE) assert.equal((await contents(out)).get(name), bytes)
})

test('says so when the folder cannot be made', async (context) => {
  const file = path.join(await temporaryFolder(context), 'file')
  await writeFile(file, '')
  await assert.rejects(drawDataset({ out: path.join(file, 'below'), perClass: 1, seed: 0 }), (thrown) => thrown instanceof DataError && /choose another folder with --out/.test(thrown.message))
})
