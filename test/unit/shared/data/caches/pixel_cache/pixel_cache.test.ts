import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { headOf, variantOf } from '../../../../../../shared/data/caches/pixel_cache/entry.ts'
import { PixelCache, type PixelCacheOptions } from '../../../../../../shared/data/caches/pixel_cache/pixel_cache.ts'
import { nodeArguments } from '../../../../../../shared/kit/node_process.ts'
import { BYTES, imageOf, keyOf } from './images.ts'
import { limitFileSize, mountSmallDisk, withoutFileLimits } from '../../../../../support/disk.ts'

let root: string
let folders = 0

before(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'herd-pixels-'))
})
after(() => rm(root, { recursive: true, force: true }))

const SHORT_SIDE = 600

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
const newFolder = (): string => path.join(root, String(++folders), 'pixels')

interface Opened {
  cache: PixelCache
  warnings: string[]
  damaged: () => number
  /** Reads images. @returns the numbers of those that were there, each checked to be what was offered */
  found(numbers: readonly number[]): Promise<number[]>
}

async function opened(folder: string, numbers: readonly number[], options: Partial<PixelCacheOptions> = {}): Promise<Opened> {
  const warnings: string[] = []
  let damaged = 0
  const cache = await PixelCache.open({
    folder, limitBytes: 1e9, files: new Set(numbers.map(keyOf)), shortSide: SHORT_SIDE, now: Date.now, warn: (text) => void warnings.push(text),
    observer: { onRead: () => undefined, onWrite: () => undefined, onDamage: () => damaged++ }, ...options,
  })
  const found = async (of: readonly number[]): Promise<number[]> => {
    const there = await Promise.all(of.map((number) => cache.read(keyOf(number), (image) => assert.deepEqual({ ...image, data: new Uint8Array(image.data) }, imageOf(number)))))
    return of.filter((_, index) => there[index])
  }
  return { cache, warnings, damaged: () => damaged, found }
}

/** Fills a cache with these images, and closes it, like a process that has ended. */
async function filled(folder: string, numbers: readonly number[], options: Partial<PixelCacheOptions> = {}): Promise<void> {
  const { cache, warnings } = await opened(folder, numbers, options)
  for (const number of numbers) cache.offer(keyOf(number), imageOf(number))
  await cache.close()
  assert.deepEqual(warnings, [])
}

async function filesOf(folder: string, ending: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(ending)).sort().map((name) => path.join(folder, name))
}

async function flip(file: string, position: number): Promise<void> {
  const handle = await open(file, 'r+')
  const byte = Buffer.alloc(1)
  await handle.read(byte, 0, 1, position)
  byte[0] ^= 1
  await handle.write(byte, 0, 1, position)
  await handle.close()
}

test('what one process has written, it reads, and so does the next one, though not for another size of image', async () => {
  const folder = newFolder()
  const first = await opened(folder, range(0, 30))
  assert.deepEqual(await first.found(range(0, 30)), [])
  for (const number of range(0, 20)) first.cache.offer(keyOf(number), imageOf(number))
  first.cache.offer(keyOf(99), imageOf(99))
  await first.cache.close()
  assert.equal((await filesOf(folder, '.pixels')).length, 1)

  const second = await opened(folder, [...range(0, 30), 99])
  assert.deepEqual(await second.found([99, ...range(0, 30)]), range(0, 20), 'the 99th was not of the data set when it was offered')
  assert.ok(second.cache.bytes >= 20 * BYTES)
  await second.cache.close()
  const other = await opened(folder, range(0, 30), { shortSide: 300 })
  assert.deepEqual(await other.found(range(0, 30)), [])
  await other.cache.close()
})

test('several processes at a time find what the others write, as soon as they look', async () => {
  const folder = newFolder()
  let time = 0
  const now = (): number => Date.now() + time
  const one = await opened(folder, range(0, 10), { now })
  const two = await opened(folder, range(0, 10), { now })
  one.cache.offer(keyOf(0), imageOf(0))
  two.cache.offer(keyOf(1), imageOf(1))
  await one.cache.close()
  assert.deepEqual(await two.found([0]), [], 'it has looked a moment ago')
  time += 2000
  assert.deepEqual(await two.found([0, 1]), [0, 1])
  await two.cache.close()
  assert.equal((await filesOf(folder, '.index')).length, 2)
})

test('whatever is damaged, cut off or of somebody else is seen, and is written again', async (t) => {
  const damages: [string, (pixels: string, index: string) => Promise<unknown>, lost: number[], read: number][] = [
    ['a bit of the pixels', (pixels) => flip(pixels, 3 * BYTES + 7), [3], 1],
    ['pixels that end in the middle', (pixels) => truncate(pixels, 7 * BYTES + 5), [7, 8, 9], 3],
    ['pixels that are gone', (pixels) => rm(pixels), range(0, 10), 10],
    ['pixels of another segment', (pixels) => writeFile(pixels, Buffer.concat(range(0, 10).map((number) => imageOf(number + 50).data))), range(0, 10), 10],
    ['a bit of an entry', (_, index) => flip(index, 64 + 4 * 64 + 35), [4], 0],
    ['an index that ends in the middle of an entry', (_, index) => truncate(index, 64 + 6 * 64 + 30), range(6, 10), 0],
    ['an empty index', (_, index) => truncate(index, 0), range(0, 10), 0],
    ['an index of another variant', async (_, index) => writeFile(index, Buffer.concat([headOf(variantOf(123)), (await readFile(index)).subarray(64)])), range(0, 10), 0],
    ['an index that is none', (_, index) => writeFile(index, 'not an index\n'.repeat(1000)), range(0, 10), 0],
  ]
  for (const [what, damage, lost, seenByReading] of damages) {
    await t.test(what, async () => {
      const folder = newFolder()
      await filled(folder, range(0, 10))
      await damage((await filesOf(folder, '.pixels'))[0], (await filesOf(folder, '.index'))[0])
      const after = await opened(folder, range(0, 10))
      assert.deepEqual(await after.found(range(0, 10)), range(0, 10).filter((number) => !lost.includes(number)))
      assert.equal(after.damaged(), seenByReading)
      for (const number of lost) after.cache.offer(keyOf(number), imageOf(number))
      await after.cache.close()
      const again = await opened(folder, range(0, 10))
      assert.deepEqual(await again.found(range(0, 10)), range(0, 10), 'the new entries win over the damaged ones')
      await again.cache.close()
    })
  }
})

test('the limit holds; what no run uses goes, that which was not used for longest first', async () => {
  const folder = newFolder()
  const limitBytes = 64 * BYTES
  // Two other data sets were used last a day and an hour ago.
  await filled(folder, range(100, 120), { limitBytes })
  const [old] = await filesOf(folder, '.pixels')
  for (const file of await readdir(folder)) await utimes(path.join(folder, file), new Date(Date.now() - 86_400_000), new Date(Date.now() - 86_400_000))
  await filled(folder, range(200, 220), { limitBytes })
  for (const file of await readdir(folder)) if (!file.startsWith(path.basename(old, '.pixels'))) await utimes(path.join(folder, file), new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000))

  await filled(folder, range(0, 25), { limitBytes })
  const size = async (): Promise<number> => (await Promise.all((await readdir(folder)).map((file) => stat(path.join(folder, file))))).reduce((sum, { size: bytes }) => sum + bytes, 0)
  assert.ok((await size()) <= limitBytes, 'within the limit')
  const check = await opened(folder, [...range(0, 25), ...range(100, 120), ...range(200, 220)], { limitBytes })
  const left = await check.found([...range(0, 25), ...range(100, 120), ...range(200, 220)])
  await check.cache.close()
  assert.deepEqual(left.filter((number) => number < 100), range(0, 25))
  assert.ok(left.filter((number) => number >= 100 && number < 200).length < 20, 'of the older one something went')
  assert.deepEqual(left.filter((number) => number >= 200), range(200, 220))
})

test('a data set larger than the limit keeps what it has, and nothing of it goes for the rest', async () => {
  const folder = newFolder()
  const limitBytes = 32 * BYTES
  const first = await opened(folder, range(0, 100), { limitBytes })
  for (const number of range(0, 100)) first.cache.offer(keyOf(number), imageOf(number))
  await first.cache.close()
  assert.match(first.warnings.join(), /^no more decoded images are kept in .*: its limit is reached with (2[4-9]|3[0-2]) of the 100 images of this data set\. [^,]*, [^,]*$/)
  const second = await opened(folder, range(0, 100), { limitBytes })
  const there = await second.found(range(0, 100))
  assert.ok(there.length >= 24 && there.length <= 32, String(there.length))
  for (const number of range(0, 100)) second.cache.offer(keyOf(number), imageOf(number))
  await second.cache.close()
  const third = await opened(folder, range(0, 100), { limitBytes })
  assert.deepEqual((await third.found(range(0, 100))).filter((number) => there.includes(number)), there)
  await third.cache.close()

  const smaller = await opened(folder, range(0, 100), { limitBytes: 10 * BYTES })
  assert.ok(smaller.cache.bytes <= 10 * BYTES, 'a smaller limit is kept from the start')
  assert.ok((await smaller.found(range(0, 100))).length <= 10)
  await smaller.cache.close()
})

test('what another process removes is missing, and nothing else', async () => {
  const folder = newFolder()
  await filled(folder, range(0, 10), { limitBytes: 32 * BYTES })
  const reader = await opened(folder, range(0, 10))
  assert.deepEqual(await reader.found([0]), [0])
  for (const file of await readdir(folder)) await rm(path.join(folder, file))
  assert.ok((await reader.found(range(1, 10))).length < 9)
  for (const number of range(0, 10)) reader.cache.offer(keyOf(number), imageOf(number))
  await reader.cache.close()
})

test('processes that write, read and are killed at the same time never hand out a wrong image', async () => {
  const folder = newFolder()
  const numbers = range(0, 400)
  const killed = await Promise.all(range(0, 4).map(async (seed) => {
    const child = spawn(process.execPath, nodeArguments(path.join(import.meta.dirname, 'busy_process.js')).concat(JSON.stringify({ folder, seed, images: numbers.length, limitBytes: 300 * BYTES, openings: seed < 2 ? 1000 : 5 })), { stdio: ['ignore', 'pipe', 'inherit'] })
    const exit = once(child, 'exit')
    let found = 0
    for await (const line of createInterface(child.stdout)) {
      found = Number(line)
      // The process is in the middle of writing and reading.
      if (seed < 2 && found >= 500) child.kill('SIGKILL')
    }
    assert.ok(found >= 500, `${found} images were found`)
    return (await exit)[1] as string | null
  }))
  assert.deepEqual(killed, ['SIGKILL', 'SIGKILL', null, null])
  const after = await opened(folder, numbers)
  assert.ok((await after.found(numbers)).length >= 100)
  await after.cache.close()
})

test('files that are not ours are neither read nor removed', async () => {
  const folder = newFolder()
  await filled(folder, range(0, 20), { limitBytes: 32 * BYTES })
  for (const file of await readdir(folder)) await utimes(path.join(folder, file), new Date(0), new Date(0))
  await writeFile(path.join(folder, 'note.txt'), 'mine')
  await writeFile(path.join(folder, 'other.pixels'), Buffer.alloc(100 * BYTES))
  await filled(folder, range(100, 125), { limitBytes: 32 * BYTES })
  assert.equal(await readFile(path.join(folder, 'note.txt'), 'utf8'), 'mine')
  assert.equal((await stat(path.join(folder, 'other.pixels'))).size, 100 * BYTES)
})

/** Asserts that a disk that refuses writes causes a single warning, and that reading goes on. */
async function refused(folder: string, present: readonly number[], because: RegExp): Promise<void> {
  const { cache, warnings, found } = await opened(folder, range(0, 200), { limitBytes: 1e6 })
  for (const number of range(0, 200)) cache.offer(keyOf(number), imageOf(number))
  await cache.close()
  assert.equal(warnings.length, 1)
  assert.match(warnings[0], because)
  const after = await opened(folder, range(0, 200))
  const there = await after.found(range(0, 200))
  assert.deepEqual(there.filter((number) => present.includes(number)), present)
  assert.equal(after.damaged(), 0, 'what was half written is in no index')
  await after.cache.close()
  assert.deepEqual(await found([0]), [], 'a closed one has nothing')
}

test('a disk that refuses in the middle of a file costs one warning', { skip: withoutFileLimits }, async () => {
  const folder = newFolder()
  await filled(folder, range(0, 10))
  await limitFileSize(process.pid, 50 * BYTES + 100)
  try {
    await refused(folder, range(0, 10), /no more decoded images are kept in .*EFBIG.*--cache-size/)
  } finally {
    await limitFileSize(process.pid, undefined)
  }
})

test('a disk that is full, and one that is read-only, cost one warning', async (t) => {
  const disk = await mountSmallDisk(path.join(root, 'disk'), 400)
  if (typeof disk === 'string') return t.skip(disk)
  try {
    const folder = path.join(disk.folder, 'pixels')
    await filled(folder, range(0, 10), { limitBytes: 1e6 })
    await disk.setReadOnly(true)
    await refused(folder, range(0, 10), /read-only/)
    await disk.setReadOnly(false)
    const empty = await disk.fill()
    await refused(folder, range(0, 10), /the disk is nearly full/)
    await empty()
    const after = await opened(folder, range(0, 100))
    assert.deepEqual((await after.found(range(0, 100))).slice(0, 10), range(0, 10))
    await after.cache.close()
  } finally {
    await disk.unmount()
  }
})

test('a folder that cannot be made costs one warning', async () => {
  const folder = newFolder()
  await writeFile(path.dirname(folder), 'a file in the way')
  await refused(folder, [], /ENOTDIR|EEXIST/)
})
