import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openCopy, openDataset, type Dataset } from '../../../../shared/data/dataset.ts'
import { manifestOf, manifestSchema } from '../../../../shared/data/manifest.ts'
import { DataError, UsageError } from '../../../../shared/kit/errors.ts'
import { numbered, picture, put, putImages, temporaryFolder } from './images.ts'

let folder: string
let root: string
let cacheFolder: string
let remove: () => Promise<void>
beforeEach(async () => {
  ({ folder, remove } = await temporaryFolder())
  root = join(folder, 'images')
  cacheFolder = join(folder, 'cache')
  await mkdir(root)
})
afterEach(() => remove())

const open = async (testFraction = 0.3, progress?: (done: number, total: number) => void): Promise<Dataset> => (await openDataset(root, { testFraction, cacheFolder, warn: assert.fail, onProgress: progress })).dataset
const digest = async (): Promise<string> => (await openCopy(root, { digest: '', samples: [] }, { cacheFolder, warn: assert.fail })).digest
const pathsOf = (dataset: Dataset, ids: number[]): string[] => ids.map((id) => dataset.samples[id].path)

describe('openDataset', () => {
  it('describes every image', async () => {
    await putImages(root, [...numbered('cane', 12), ...numbered('gatto', 12)])
    const progress: [number, number][] = []
    const { dataset, source } = await openDataset(root, { testFraction: 0.3, cacheFolder, warn: assert.fail, onProgress: (done, total) => progress.push([done, total]) })
    assert.deepEqual(dataset.classes, ['cane', 'gatto'])
    assert.equal(dataset.samples.length, 24)
    assert.deepEqual(dataset.samples.map(({ path }) => path), [...numbered('cane', 12), ...numbered('gatto', 12)].sort())
    for (const [id, sample] of dataset.samples.entries()) {
      const [bytes] = await source.read([id])
      assert.equal(sample.sha256, createHash('sha256').update(bytes).digest('hex'))
      assert.equal(sample.bytes, bytes.length)
      assert.equal(dataset.classes[sample.class], sample.path.split('/')[0])
      assert.ok((sample.split === 'train' ? dataset.train : dataset.test).includes(id))
    }
    assert.equal(dataset.train.length + dataset.test.length, 24)
    assert.deepEqual(dataset.skipped, [])
    assert.deepEqual(progress, Array.from({ length: 24 }, (_, i) => [i + 1, 24]))
  })

  it('leaves unreadable images out and says why', async () => {
    await putImages(root, [...numbered('a', 12), ...numbered('b', 12)])
    const whole = await picture(5, 200, 150).jpeg().toBuffer()
    await put(root, 'a/cut.jpg', whole.subarray(0, 900))
    await put(root, 'a/empty.png', '')
    await put(root, 'b/text.jpg', 'this is text')
    const dataset = await open()
    assert.equal(dataset.samples.length, 24)
    assert.deepEqual(dataset.skipped.map(({ path }) => path), ['a/cut.jpg', 'a/empty.png', 'b/text.jpg'])
    assert.match(dataset.skipped[0].reason, /a\/cut\.jpg cannot be decoded: .*premature end/i)
    assert.match(dataset.skipped[1].reason, /a\/empty\.png is empty/)
    assert.equal(dataset.digest, await digest())
    assert.deepEqual((await open()).skipped, dataset.skipped)
  })

  it('tells of images that are there twice', async () => {
    await putImages(root, ['train/a/0.jpg', 'train/a/1.jpg', 'train/b/0.jpg', 'test/a/2.jpg', 'test/b/2.jpg'])
    await copyFile(join(root, 'train/a/0.jpg'), join(root, 'test/a/0.jpg'))
    await copyFile(join(root, 'train/a/1.jpg'), join(root, 'train/b/1.jpg'))
    assert.deepEqual((await open()).notices, [
      '1 image is in two classes, with the same bytes: train/a/1.jpg and train/b/1.jpg.',
      '1 image is in training and in the test, with the same bytes: test/a/0.jpg and train/a/0.jpg.',
    ])
  })

  it('moves no image when another is added or removed', async () => {
    await putImages(root, [...numbered('a', 30), ...numbered('b', 30)])
    const before = await open()
    await putImages(root, ['a/new.jpg', 'a/0000.jpg', 'b/zzz.jpg'])
    await rm(join(root, 'b/7.jpg'))
    const after = await open()
    const split = new Map(after.samples.map((sample) => [sample.path, sample.split]))
    for (const sample of before.samples) if (sample.path !== 'b/7.jpg') assert.equal(split.get(sample.path), sample.split)
  })

  it('keeps every test image in testing when the fraction grows', async () => {
    await putImages(root, [...numbered('a', 20), ...numbered('b', 20)])
    const small = await open(0.2)
    const large = await open(0.6)
    assert.ok(large.test.length > small.test.length)
    assert.ok(pathsOf(small, small.test).every((path) => pathsOf(large, large.test).includes(path)))
  })

  it('takes the split of train/ and test/ whatever the fraction', async () => {
    await putImages(root, [...numbered('train/a', 3), ...numbered('train/b', 2), ...numbered('test/a', 1), ...numbered('test/b', 1)])
    const dataset = await open(0.9)
    assert.deepEqual(pathsOf(dataset, dataset.test), ['test/a/0.jpg', 'test/b/0.jpg'])
    assert.equal(dataset.train.length, 5)
  })

  it('refuses a class without an image to test on, with its counts', async () => {
    await putImages(root, [...numbered('a', 12), ...numbered('b', 12)])
    await assert.rejects(open(1e-9), (error: Error) => error instanceof DataError && /class a has 12 readable images for training and 0 for testing.*--test-fraction 1e-9/.test(error.message))
  })

  it('refuses a class of which train/ or test/ has nothing readable', async () => {
    await putImages(root, [...numbered('train/a', 2), ...numbered('train/b', 2), ...numbered('test/a', 1)])
    await put(root, 'test/b/0.jpg', 'text')
    await assert.rejects(open(), /class b has 2 readable images for training and 0 for testing.*add images that can be read/)
  })

  it('refuses a test fraction outside (0, 1)', async () => {
    for (const fraction of [0, 1, -0.1, 1.5, NaN]) await assert.rejects(open(fraction), (error) => error instanceof UsageError && error.message.includes('--test-fraction'))
  })

  it('refuses what cannot be read at all, and keeps what it found until then', async () => {
    await putImages(root, [...numbered('a', 2), ...numbered('b', 2)])
    await symlink(join(root, 'nowhere.jpg'), join(root, 'b/zz.jpg'))
    await assert.rejects(open(), (error: Error) => error instanceof DataError && error.message.includes('b/zz.jpg') && error.message.includes('cannot be read'))
    assert.equal((await readdir(join(cacheFolder, 'datasets'))).length, 1)
  })
})

describe('digest', () => {
  it('is the same with and without decoding, and in another place', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const before = await digest()
    assert.equal((await open()).digest, before)
    await rename(root, join(folder, 'elsewhere'))
    root = join(folder, 'elsewhere')
    assert.equal(await digest(), before)
    await mkdir(join(folder, 'unpacked'))
    await rename(root, join(folder, 'unpacked/raw-img'))
    root = join(folder, 'unpacked')
    assert.equal(await digest(), before)
  })

  it('changes with contents and names, not with times', async () => {
    await putImages(root, [...numbered('a', 3), ...numbered('b', 3)])
    const before = await digest()
    await utimes(join(root, 'a/0.jpg'), 1, 1)
    assert.equal(await digest(), before)

    const bytes = await readFile(join(root, 'a/0.jpg'))
    bytes[bytes.length - 3] ^= 1
    await writeFile(join(root, 'a/0.jpg'), bytes)
    const altered = await digest()
    assert.notEqual(altered, before)
    await rename(join(root, 'a/0.jpg'), join(root, 'a/9.jpg'))
    assert.notEqual(await digest(), altered)
    await rename(join(root, 'a/9.jpg'), join(root, 'a/0.jpg'))
    assert.equal(await digest(), altered)
    await rename(join(root, 'b'), join(root, 'c'))
    assert.notEqual(await digest(), altered)
  })
})

describe('cache', () => {
  const cacheFile = async (): Promise<string> => join(cacheFolder, 'datasets', (await readdir(join(cacheFolder, 'datasets')))[0])

  it('is trusted for a file whose size and time have not changed', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const first = await open()
    const file = await cacheFile()
    const planted = 'f'.repeat(64)
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(first.samples[0].sha256, planted))
    assert.equal((await open()).samples[0].sha256, planted)
    await utimes(join(root, first.samples[0].path), 1, 1)
    assert.deepEqual(await open(), first)
  })

  it('is rebuilt where it is damaged', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const first = await open()
    const file = await cacheFile()
    const whole = await readFile(file, 'utf8')
    for (const damaged of ['', whole.slice(0, 200), 'null', '{"files":{}}', whole.replace('"bytes":', '"bytes":-'), whole.replace('files 1', 'files 0')]) {
      await writeFile(file, damaged)
      assert.deepEqual(await open(), first)
      assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), JSON.parse(whole))
    }
  })

  it('forgets files that are gone, and leaves nothing half-written', async () => {
    await putImages(root, [...numbered('a', 9), ...numbered('b', 8)])
    await open()
    await rm(join(root, 'a/3.jpg'))
    await putImages(root, ['a/33.jpg'])
    await open()
    const { files } = JSON.parse(await readFile(await cacheFile(), 'utf8')) as { files: Record<string, unknown> }
    assert.ok(!('a/3.jpg' in files) && 'a/33.jpg' in files)
    assert.equal((await readdir(join(cacheFolder, 'datasets'))).length, 1)
  })

  it('that only a digest filled is completed by opening', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    await put(root, 'a/text.jpg', 'text')
    await digest()
    assert.deepEqual((await open()).skipped.map(({ path }) => path), ['a/text.jpg'])
  })

  it('that cannot be written costs one warning', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    await writeFile(cacheFolder, 'a file in the way')
    const warnings: string[] = []
    const { dataset } = await openDataset(root, { testFraction: 0.3, cacheFolder, warn: (message) => warnings.push(message) })
    assert.equal(dataset.samples.length, 16)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0], /^what is found out about the images cannot be kept: (ENOTDIR|EEXIST).*HERD_CACHE names another folder\.$/)
  })

  it('keeps what was found out when the check is ended early', async () => {
    await putImages(root, [...numbered('a', 30), ...numbered('b', 30)])
    const ending = new AbortController()
    const reason = new Error('enough')
    const onProgress = (done: number): void => (done === 10 ? ending.abort(reason) : undefined)
    await assert.rejects(openDataset(root, { testFraction: 0.3, cacheFolder, warn: assert.fail, onProgress, signal: ending.signal }), reason)
    const [file] = await readdir(join(cacheFolder, 'datasets'))
    const { files } = JSON.parse(await readFile(join(cacheFolder, 'datasets', file), 'utf8')) as { files: object }
    assert.ok(Object.keys(files).length >= 10 && Object.keys(files).length < 60, `${Object.keys(files).length} files are known`)
  })
})

describe('manifest', () => {
  it('survives the wire', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const dataset = await open()
    assert.deepEqual(manifestSchema.parse(JSON.parse(JSON.stringify(manifestOf(dataset)))), { classes: dataset.classes, samples: dataset.samples, digest: dataset.digest })
  })
})
