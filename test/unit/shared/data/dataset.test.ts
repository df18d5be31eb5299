import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openCopy, openDataset, type Dataset } from '../../../../shared/data/dataset.ts'
import { FileCache } from '../../../../shared/data/caches/file_cache.ts'
import { Known } from '../../../../shared/data/caches/file_facts.ts'
import { PathList } from '../../../../shared/data/columns/path_list.ts'
import { DECODER_VERSION } from '../../../../shared/data/transforms/decode.ts'
import { DataError, ProtocolError, UsageError } from '../../../../shared/kit/errors.ts'
import { listed } from '../../../support/made_up_data.ts'
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
const digest = async (): Promise<string> => (await openCopy(root, { digest: '', samples: 0, testFraction: 0.3, skipped: [] }, { cacheFolder, warn: assert.fail })).digest
const pathsOf = (dataset: Dataset, ids: number[]): string[] => ids.map((id) => dataset.samples.path(id))

describe('openDataset', () => {
  it('describes every image', async () => {
    await putImages(root, [...numbered('cane', 12), ...numbered('gatto', 12)])
    const progress: [number, number][] = []
    const { dataset, source } = await openDataset(root, { testFraction: 0.3, cacheFolder, warn: assert.fail, onProgress: (done, total) => progress.push([done, total]) })
    assert.deepEqual(dataset.classes, ['cane', 'gatto'])
    assert.equal(dataset.samples.length, 24)
    assert.deepEqual(listed(dataset.samples).map(({ path }) => path), [...numbered('cane', 12), ...numbered('gatto', 12)].sort())
    for (const [id, sample] of listed(dataset.samples).entries()) {
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
    const split = new Map(listed(after.samples).map((sample) => [sample.path, sample.split]))
    for (const sample of listed(before.samples)) if (sample.path !== 'b/7.jpg') assert.equal(split.get(sample.path), sample.split)
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
  it('is the hash of paths, classes and contents in the order of paths', async () => {
    // In the order of paths, images of "b-c" come before those of "b", though the class comes after it.
    await putImages(root, [...numbered('b', 12), ...numbered('b-c', 11), ...numbered('ä', 10)])
    const dataset = await open()
    assert.deepEqual(dataset.classes, ['b', 'b-c', 'ä'])
    const hash = createHash('sha256')
    const paths = [...numbered('b', 12), ...numbered('b-c', 11), ...numbered('ä', 10)].sort()
    for (const path of paths) hash.update(`${path}\0${path.split('/')[0]}\0${createHash('sha256').update(await readFile(join(root, path))).digest('hex')}\n`)
    assert.equal(dataset.digest, hash.digest('hex'))
    assert.deepEqual(listed(dataset.samples).map(({ path }) => path), paths)
  })

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
  /** Opens the cache for some paths. @returns the paths of which it knows something */
  const known = async (paths: readonly string[]): Promise<string[]> => {
    const { facts } = await FileCache.open(cacheFolder, root, PathList.of(paths), assert.fail)
    return paths.filter((_, place) => facts.known[place] !== Known.nothing)
  }

  it('is trusted for a file whose size and time have not changed', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const first = await open()
    const planted = 'f'.repeat(64)
    const cache = await FileCache.open(cacheFolder, root, PathList.of(listed(first.samples).map(({ path }) => path)), assert.fail)
    cache.add(0, { bytes: cache.facts.bytes[0], modified: cache.facts.modified[0], sha256: Buffer.from(planted, 'hex'), problem: null })
    await cache.save()
    assert.equal((await open()).samples.sha256(0), planted)
    await utimes(join(root, first.samples.path(0)), 1, 1)
    const again = await open()
    assert.deepEqual([again.digest, listed(again.samples)], [first.digest, listed(first.samples)])
  })

  it('is rebuilt where it is damaged, which is told, and where it is of another version', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    await put(root, 'a/text.jpg', 'text')
    const first = await open()
    const file = await cacheFile()
    const whole = await readFile(file)
    const changed = (at: number): Buffer => Buffer.concat([whole.subarray(0, at), Buffer.from([whole[at] ^ 1]), whole.subarray(at + 1)])
    const line = whole.indexOf(10) + 1
    const damages: [Buffer, RegExp][] = [
      [Buffer.alloc(0), /of another version of Herd/], [Buffer.from(whole.toString('latin1').replace('files 3', 'files 4'), 'latin1'), /of another version of Herd/],
      [whole.subarray(0, line + 200), /is damaged: a block of it does not match/], [whole.subarray(0, -44), /is damaged: its end is not there/], [whole.subarray(0, line), /is damaged: its end is not there/],
      [changed(line + 2), /is damaged: a block of it has an impossible size/], [changed(line + 20), /does not match its checksum/], [changed(line + 60), /does not match its checksum/], [changed(whole.length - 100), /does not match its checksum/],
    ]
    for (const [damaged, message] of damages) {
      await writeFile(file, damaged)
      const warnings: string[] = []
      const { dataset } = await openDataset(root, { testFraction: 0.3, cacheFolder, warn: (warning) => warnings.push(warning) })
      assert.deepEqual([dataset.digest, listed(dataset.samples), dataset.skipped], [first.digest, listed(first.samples), first.skipped])
      assert.equal(warnings.length, 1)
      assert.match(warnings[0], message)
      assert.match(warnings[0], /which keeps what was found out about the images, .*\. The images are checked anew\.$/)
      assert.deepEqual(await readFile(file), whole)
    }
  })

  it('forgets files that are gone, and leaves nothing half-written', async () => {
    await putImages(root, [...numbered('a', 9), ...numbered('b', 8)])
    await open()
    await rm(join(root, 'a/3.jpg'))
    await putImages(root, ['a/33.jpg'])
    await open()
    assert.deepEqual(await known(['a/2.jpg', 'a/3.jpg', 'a/33.jpg', 'b/0.jpg', 'b/9.jpg']), ['a/2.jpg', 'a/33.jpg', 'b/0.jpg'])
    assert.equal((await readdir(join(cacheFolder, 'datasets'))).length, 1)
  })

  it('of Herd 0.1 is taken over', async () => {
    await putImages(root, [...numbered('a', 8), ...numbered('b', 8)])
    const { samples } = await open()
    const { facts } = await FileCache.open(cacheFolder, root, PathList.of(listed(samples).map(({ path }) => path)), assert.fail)
    const planted = 'e'.repeat(64)
    const files = Object.fromEntries(listed(samples).map(({ path, bytes }, place) => [path, { bytes, modified: facts.modified[place], sha256: planted, problem: null }]))
    const file = await cacheFile()
    const old = file.replace('.files', '.json')
    await rm(file)
    await writeFile(old, JSON.stringify({ format: `files 2, ${DECODER_VERSION}`, root, files }))
    assert.equal((await open()).samples.sha256(3), planted)
    assert.equal(await cacheFile(), file)
    assert.equal((await open()).samples.sha256(3), planted)
    await rm(file)
    for (const nothing of ['', '{', JSON.stringify({ format: 'files 1', root, files }), JSON.stringify({ format: `files 2, ${DECODER_VERSION}`, root: '/elsewhere', files })]) {
      await writeFile(old, nothing)
      assert.equal((await open()).samples.sha256(3), samples.sha256(3))
      await rm(file)
    }
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

  it('that the disk refused is written by the next save', async () => {
    const paths = PathList.of(['a/0.jpg'])
    const cache = await FileCache.open(cacheFolder, root, paths, assert.fail)
    cache.add(0, { bytes: 1, modified: 1, sha256: Buffer.alloc(32), problem: null })
    await cache.save()
    const file = await cacheFile()
    await rm(file)
    await mkdir(join(file, 'in the way'), { recursive: true })
    cache.add(0, { bytes: 2, modified: 1, sha256: Buffer.alloc(32), problem: null })
    await assert.rejects(cache.save())
    await rm(file, { recursive: true })
    await cache.save()
    assert.equal((await FileCache.open(cacheFolder, root, paths, assert.fail)).facts.bytes[0], 2)
  })

  it('keeps what was found out when the check is ended early', async () => {
    await putImages(root, [...numbered('a', 30), ...numbered('b', 30)])
    const ending = new AbortController()
    const reason = new Error('enough')
    const onProgress = (done: number): void => (done === 10 ? ending.abort(reason) : undefined)
    await assert.rejects(openDataset(root, { testFraction: 0.3, cacheFolder, warn: assert.fail, onProgress, signal: ending.signal }), reason)
    const kept = await known([...numbered('a', 30), ...numbered('b', 30)].sort())
    assert.ok(kept.length >= 10 && kept.length < 60, `${kept.length} files are known`)
  })
})

describe('openCopy', () => {
  it('has the samples of the run, from its digest, its split and what is left out', async () => {
    await putImages(root, [...numbered('a', 12), ...numbered('b', 12)])
    await put(root, 'a/text.jpg', 'text')
    await put(root, 'b/0.jpg', 'text')
    const { dataset } = await openDataset(root, { testFraction: 0.3, cacheFolder, warn: assert.fail })
    const wanted = { digest: dataset.digest, samples: dataset.samples.length, testFraction: dataset.testFraction, skipped: dataset.skipped.map(({ place }) => place) }
    const copy = await openCopy(root, wanted, { cacheFolder: join(folder, 'other cache'), warn: assert.fail })
    assert.ok(copy.images !== undefined)
    assert.deepEqual(listed(copy.images.samples), listed(dataset.samples))
    assert.deepEqual(await copy.images.source.read([3]), [await readFile(join(root, dataset.samples.path(3)))])
    // The digest is that of all 25 files, so no honest coordinator has more or fewer.
    for (const more of [{ samples: dataset.samples.length + 1 }, { skipped: [0] }]) await assert.rejects(openCopy(root, { ...wanted, ...more }, { cacheFolder, warn: assert.fail }), (error) => error instanceof ProtocolError && /in a data set of 25/.test(error.message))
  })

  it('has no samples where it is another data set', async () => {
    await putImages(root, [...numbered('a', 3), ...numbered('b', 3)])
    const copy = await openCopy(root, { digest: 'f'.repeat(64), samples: 5, testFraction: 0.3, skipped: [1000] }, { cacheFolder, warn: assert.fail })
    assert.equal(copy.images, undefined)
    assert.match(copy.digest, /^[0-9a-f]{64}$/)
  })
})
