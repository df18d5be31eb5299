import assert from 'node:assert/strict'
import test from 'node:test'
import sharp from 'sharp'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Samples, type Sample } from '../../../../shared/data/columns/samples.ts'
import { DecodedCache } from '../../../../shared/data/caches/decoded_cache.ts'
import { openDecoded } from '../../../../shared/data/caches/open_decoded.ts'
import { evaluationImages, type SampleImages } from '../../../../shared/data/sample_images.ts'
import { decodeTarget, defaultTransforms, evaluationTransformsSchema, type TransformLists } from '../../../../shared/data/transforms/transforms.ts'

const transforms = defaultTransforms()
const files = await Promise.all([0, 80, 160].map((grey) => sharp({ create: { width: 40, height: 30, channels: 3, background: { r: grey, g: grey, b: 255 - grey } } }).png().toBuffer()))
const sampleOf = (file: Buffer, index: number): Sample => ({ path: `a/${index}.png`, class: 0, sha256: createHash('sha256').update(file).digest('hex'), bytes: file.length, split: 'train' })
const samples = Samples.of(files.map(sampleOf))

test('images are the same with and without a cache, and a cached one is not read again', async () => {
  const asked: number[] = []
  const source = { read: (ids: readonly number[]) => Promise.resolve(ids.map((id) => (asked.push(id), files[id]))) }
  const plain = { source, samples, imageSize: 16, ...transforms }
  const expected = await evaluationImages(plain, [2, 0, 1])
  // The cache has room for two of the three decoded images.
  const cached = { ...plain, decoded: new DecodedCache(2 * 40 * 30 * 3) }
  assert.deepEqual(await evaluationImages(cached, [2, 0]), expected.subarray(0, (expected.length / 3) * 2))
  asked.length = 0
  assert.deepEqual(await evaluationImages(cached, [2, 0, 1]), expected)
  assert.deepEqual(await evaluationImages(cached, [2, 0, 1]), expected)
  assert.deepEqual(asked, [1, 1], 'the third did not fit')
})

test('images are the same from the cache file, and from the memory that was filled from it, and neither reads nor decodes', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-samples-'))
  t.after(() => rm(folder, { recursive: true }))
  const asked: number[] = []
  const from: string[] = []
  const source = { read: (ids: readonly number[]) => Promise.resolve(ids.map((id) => (asked.push(id), files[id]))) }
  const plain = { source, samples, imageSize: 16, ...transforms, observer: (facts: { from: string }) => void from.push(facts.from) }
  const expected = await evaluationImages(plain, [2, 0, 1])
  const open = (): ReturnType<typeof openDecoded> => openDecoded({ cacheFolder: folder, fileBytes: 1e6, samples, shortSide: decodeTarget(transforms, 16), log: { warn: assert.fail } })
  const first = await open()
  assert.deepEqual(await evaluationImages({ ...plain, decoded: first }, [2, 0, 1]), expected)
  await first.close()

  const second = await open()
  asked.length = 0
  from.length = 0
  assert.deepEqual(await evaluationImages({ ...plain, decoded: second }, [2, 0, 1]), expected)
  assert.deepEqual(await evaluationImages({ ...plain, decoded: second }, [2, 0, 1]), expected)
  assert.deepEqual(asked, [])
  assert.deepEqual(from, ['file', 'file', 'file', 'memory', 'memory', 'memory'])
  await second.close()
})

test('an image that was decoded for a smaller resize is not taken for a larger one', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-samples-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = await sharp(Uint8Array.from({ length: 200 * 160 * 3 }, (_, i) => (i * 7919) % 256), { raw: { width: 200, height: 160, channels: 3 } }).png().toBuffer()
  const large = Samples.of([sampleOf(file, 0)])
  const from: string[] = []
  const imageSize = 16
  const lists = (shortSide: number): TransformLists => ({ ...transforms, evaluation: evaluationTransformsSchema.parse([{ name: 'resize', shortSide }, { name: 'centreCrop' }, { name: 'normalise' }]) })
  const images = (shortSide: number): SampleImages => ({ source: { read: (ids) => Promise.resolve(ids.map(() => file)) }, samples: large, imageSize, ...lists(shortSide), observer: (facts) => void from.push(facts.from) })
  const throughCache = async (shortSide: number): Promise<Uint8Array> => {
    const decoded = await openDecoded({ cacheFolder: folder, fileBytes: 1e6, samples: large, shortSide: decodeTarget(lists(shortSide), imageSize), log: { warn: assert.fail } })
    const pixels = await evaluationImages({ ...images(shortSide), decoded }, [0])
    await decoded.close()
    return pixels
  }
  const expected = { small: await evaluationImages(images(1.5), [0]), large: await evaluationImages(images(4), [0]) }
  assert.notDeepEqual(expected.small, expected.large)
  from.length = 0
  assert.deepEqual(await throughCache(1.5), expected.small)
  assert.deepEqual(await throughCache(4), expected.large)
  assert.deepEqual(await throughCache(1.5), expected.small)
  assert.deepEqual(from, ['decoder', 'decoder', 'file'])
})
