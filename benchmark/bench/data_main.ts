import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, mkdirSync, openSync, statSync } from 'node:fs'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { z } from 'zod'
import { FileCache } from '../../shared/data/caches/file_cache.ts'
import { Known } from '../../shared/data/caches/file_facts.ts'
import { openDataset } from '../../shared/data/dataset.ts'
import { HASH_BYTES } from '../../shared/data/columns/hash_index.ts'
import type { ManifestPart } from '../../shared/data/manifest.ts'
import { PathList } from '../../shared/data/columns/path_list.ts'
import { scanFolder } from '../../shared/data/sources/scan.ts'
import { Schedule } from '../../shared/lanes/sample_schedule.ts'
import { readManifest } from '../../worker/manifest.ts'
import { classesOf, dataWorks, type DataFigures, type DataWork } from './data_figures.ts'

/**
 * One measurement on a data set of made-up images, in a process of its own, since its memory is measured: `data_main.ts DO FOLDER IMAGES`. It prints one
 * line of JSON, as `dataFiguresSchema` has it.
 */
const FILE_BYTES = 1000
const DIGEST = '0'.repeat(64)

const works: Record<DataWork, (folder: string, images: number) => Promise<unknown>> = {
  draw: async (folder, images) => {
    for (let id = 0; id < images; id++) {
      const file = path.join(folder, 'images', pathOf(id, images))
      if (id === 0 || classOf(id, images) !== classOf(id - 1, images)) mkdirSync(path.dirname(file), { recursive: true })
      const handle = openSync(file, 'w')
      // A sparse file: its bytes are never read, since the cache says what they are.
      ftruncateSync(handle, FILE_BYTES)
      closeSync(handle)
    }
  },
  // Does as if all files had been hashed and decoded.
  check: async (folder) => {
    const { root, candidates: { paths } } = await scanFolder(path.join(folder, 'images'))
    const cache = await FileCache.open(path.join(folder, 'cache'), root, paths, fail)
    for (let place = 0; place < paths.length; place++) {
      const { size, mtimeMs } = statSync(path.join(root, paths.at(place)))
      cache.add(place, { bytes: size, modified: mtimeMs, sha256: hashOf(place), problem: null })
    }
    await cache.save()
  },
  start: async (folder) => {
    const { dataset } = await openDataset(path.join(folder, 'images'), { testFraction: 0.04, cacheFolder: path.join(folder, 'cache'), warn: fail })
    new Schedule({ seed: 0, train: dataset.train, batch: 256, lanes: 8 }).batch(1, 0)
    return dataset
  },
  writeCache: async (folder, images) => {
    const cache = await FileCache.open(folder, '/made up', pathsOf(0, images, images), fail)
    for (let place = 0; place < images; place++) cache.add(place, { bytes: FILE_BYTES, modified: 1.8e12 + place, sha256: hashOf(place), problem: null })
    await cache.save()
  },
  readCache: async (folder, images) => {
    const { facts } = await FileCache.open(folder, '/made up', pathsOf(0, images, images), fail)
    if (facts.known.some((known) => known !== Known.readable)) throw new Error('the cache does not know all of its files')
    return facts
  },
  manifest: async (_, images) => {
    const { samples } = await readManifest(partsOf(images), { datasetDigest: DIGEST })
    new Schedule({ seed: 0, train: samples.ids('train'), batch: 256, lanes: 8 }).batch(1, 0)
    return samples
  },
}

/** Makes the parts of a manifest as they come from the wire, without holding the whole. */
async function* partsOf(images: number): AsyncGenerator<ManifestPart> {
  yield { part: 'head', head: { digest: DIGEST, classes: classesOf(images), samples: images, skipped: 0, testFraction: 0.04 } }
  yield { part: 'classNames', classNames: { names: Array.from({ length: classesOf(images) }, (_, index) => nameOf(index)) } }
  const SLICE = 4096
  for (let begin = 0; begin < images; begin += SLICE) {
    const count = Math.min(SLICE, images - begin)
    const ids = Array.from({ length: count }, (_, row) => begin + row)
    yield {
      part: 'columns',
      columns: {
        paths: pathsOf(begin, begin + count, images).encoded(0, count),
        hashes: Buffer.concat(ids.map(hashOf), count * HASH_BYTES),
        classes: Buffer.from(Uint32Array.from(ids, (id) => classOf(id, images)).buffer),
        bytes: Buffer.from(new Uint32Array(count).fill(FILE_BYTES).buffer),
        tests: Buffer.from(ids.map((id) => Number(id % 25 === 0))),
      },
    }
  }
}

function pathsOf(begin: number, end: number, images: number): PathList {
  const paths = new PathList()
  for (let id = begin; id < end; id++) paths.add(pathOf(id, images))
  return paths
}

/** A path as those of ImageNet are, in their order. */
function pathOf(id: number, images: number): string {
  const name = nameOf(classOf(id, images))
  return `${name}/${name}_${String(id).padStart(8, '0')}.JPEG`
}

function classOf(id: number, images: number): number {
  return Math.floor((id * classesOf(images)) / images)
}

function nameOf(index: number): string {
  return `n${String(1440764 + 1237 * index).padStart(8, '0')}`
}

function hashOf(id: number): Buffer {
  return createHash('sha256').update(String(id)).digest()
}

function fail(message: string): never {
  throw new Error(message)
}

const [work, folder, images] = z.tuple([z.enum(dataWorks), z.string(), z.coerce.number()]).parse(process.argv.slice(2))
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const before = process.cpuUsage()
const begin = performance.now()
const held = await works[work](folder, images)
const seconds = (performance.now() - begin) / 1000
const { user, system } = process.cpuUsage(before)
const figures: DataFigures = { seconds, processorSeconds: (user + system) / 1e6, residentMib: process.resourceUsage().maxRSS / 1024, longestPauseMs: delay.max / 1e6 }
process.stdout.write(`${JSON.stringify(figures)}\n`, () => void held)
