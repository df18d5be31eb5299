import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { DataError } from '../../../shared/kit/errors.ts'
import { Samples, type Sample } from '../../../shared/data/columns/samples.ts'
import { sha256Of } from '../../../shared/kit/sha256.ts'
import { ImageCache } from '../../../worker/image_cache.ts'
import { RemoteSource } from '../../../worker/remote_source.ts'

let folder: string
/** The cache's clock, in seconds; every reading advances it. */
let time = 0
const now = (): Date => new Date(1_800_000_000_000 + 1000 * time++)
const warnings: string[] = []
const log = { warn: (message: unknown) => warnings.push(String(message)) }
const fileOf = (number: number): Buffer => Buffer.alloc(1000, number)

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'herd-cache-'))
})
after(() => rm(folder, { recursive: true, force: true }))

async function filesIn(cache: string): Promise<string[]> {
  const entries = await readdir(cache, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name))
}

test('what was put is got back, and what was not is not there', async () => {
  const cache = new ImageCache(path.join(folder, 'plain'), 10_000, { now, log })
  const data = fileOf(1)
  assert.equal(await cache.get(sha256Of(data)), undefined)
  await cache.put(sha256Of(data), data)
  assert.deepEqual(await cache.get(sha256Of(data)), data)
})

test('the size stays below the limit, and what was not used for longest goes first', async () => {
  const place = path.join(folder, 'limited')
  const cache = new ImageCache(place, 5000, { now, log })
  for (let number = 0; number < 5; number++) {
    await cache.put(sha256Of(fileOf(number)), fileOf(number))
    await cache.get(sha256Of(fileOf(number)))
  }
  await cache.get(sha256Of(fileOf(0)))
  await cache.put(sha256Of(fileOf(5)), fileOf(5))
  assert.ok((await filesIn(place)).length <= 5)
  assert.ok(await cache.get(sha256Of(fileOf(0))), 'used a moment ago')
  assert.equal(await cache.get(sha256Of(fileOf(1))), undefined)
  await cache.put(sha256Of(Buffer.alloc(6000)), Buffer.alloc(6000))
  assert.equal(await cache.get(sha256Of(Buffer.alloc(6000))), undefined, 'larger than the whole cache')
})

test('a damaged file is not handed out, and is removed', async () => {
  const place = path.join(folder, 'damaged')
  const cache = new ImageCache(place, 10_000, { now, log })
  await cache.put(sha256Of(fileOf(1)), fileOf(1))
  const [file] = await filesIn(place)
  await writeFile(file, 'damaged')
  assert.equal(await cache.get(sha256Of(fileOf(1))), undefined)
  assert.deepEqual(await filesIn(place), [])
})

test('images from a coordinator are fetched once, and refused when their bytes are not what their hash says', async () => {
  const cache = new ImageCache(path.join(folder, 'remote'), 100_000, { now, log })
  const samples = Samples.of([0, 1, 2].map((number): Sample => ({ path: `a/${number}.png`, class: 0, sha256: sha256Of(fileOf(number)), bytes: 1000, split: 'train' })))
  const asked: number[] = []
  const honest = {
    async *fetchImages(ids: readonly number[]) {
      for (const sample of ids) {
        asked.push(sample)
        await Promise.resolve()
        yield { sample, data: fileOf(sample) }
      }
    },
  }
  const source = new RemoteSource(honest, samples, cache)
  assert.deepEqual(await source.read([2, 0]), [fileOf(2), fileOf(0)])
  assert.deepEqual(await source.read([0, 1, 2]), [fileOf(0), fileOf(1), fileOf(2)])
  assert.deepEqual(asked, [2, 0, 1])

  const liar = {
    async *fetchImages(ids: readonly number[]) {
      await Promise.resolve()
      for (const sample of ids) yield { sample, data: fileOf(99) }
    },
  }
  const empty = new ImageCache(path.join(folder, 'empty'), 100_000, { now, log })
  await assert.rejects(new RemoteSource(liar, samples, empty).read([1]), (error: Error) => error instanceof DataError && /a\/1\.png came from the coordinator with other bytes/.test(error.message))
})

test('a folder that cannot be written costs one warning, and what is asked for is fetched', async () => {
  warnings.length = 0
  const inTheWay = path.join(folder, 'in-the-way')
  await writeFile(inTheWay, 'a file')
  const cache = new ImageCache(path.join(inTheWay, 'images'), 100_000, { now, log })
  const samples = Samples.of([0, 1].map((number): Sample => ({ path: `a/${number}.png`, class: 0, sha256: sha256Of(fileOf(number)), bytes: 1000, split: 'train' })))
  const asked: number[] = []
  const link = {
    async *fetchImages(ids: readonly number[]) {
      asked.push(...ids)
      for (const sample of ids) yield await Promise.resolve({ sample, data: fileOf(sample) })
    },
  }
  const source = new RemoteSource(link, samples, cache)
  for (const round of [1, 2]) assert.deepEqual(await source.read([0, 1]), [fileOf(0), fileOf(1)], `round ${round}`)
  assert.deepEqual(asked, [0, 1, 0, 1])
  assert.equal(warnings.length, 1)
  assert.match(warnings[0], /^no more images of the coordinator are kept in .*in-the-way\/images: ENOTDIR.* Training goes on, and fetches them again in each epoch\.$/)
})
