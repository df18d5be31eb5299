import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { copyParts, manifestParts, type Manifest, type ManifestPart, type ManifestSource } from '../../../shared/data/manifest.ts'
import { PathList } from '../../../shared/data/columns/path_list.ts'
import { Samples, type Sample } from '../../../shared/data/columns/samples.ts'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import { manifestPartSchema } from '../../../shared/wire/messages.ts'
import { readManifest, readWantedCopy } from '../../../worker/manifest.ts'
import { listed, madeUp } from '../../support/made_up_data.ts'

const sha256 = '0123456789abcdef'.repeat(4)
const two: readonly Sample[] = [
  { path: 'cane/0.jpg', class: 0, sha256, bytes: 1000, split: 'train' },
  { path: 'gatto/0.jpg', class: 1, sha256, bytes: 2000, split: 'test' },
]
const source = (changes: Partial<ManifestSource> = {}): ManifestSource => ({ classes: ['cane', 'gatto'], samples: Samples.of(two), digest: sha256, testFraction: 0.2, skipped: [], ...changes })
const partsOf = (changes: Partial<ManifestSource> = {}): ManifestPart[] => [...manifestParts(source(changes))]

async function* sent(parts: Iterable<ManifestPart>): AsyncGenerator<ManifestPart> {
  for (const part of parts) yield manifestPartSchema.parse(part)
}
const read = (parts: Iterable<ManifestPart>, datasetDigest = sha256): Promise<Manifest> => readManifest(sent(parts), { datasetDigest })

const refuses = (parts: Iterable<ManifestPart>, words: string): Promise<void> =>
  assert.rejects(read(parts), (error: Error) => {
    assert.ok(error instanceof ProtocolError, String(error))
    assert.ok(error.message.startsWith('the manifest of the coordinator ') && error.message.includes(words), `"${error.message}" lacks "${words}"`)
    return true
  })

/** Parts of two samples, with other columns. */
const withColumns = (change: (columns: Extract<ManifestPart, { part: 'columns' }>['columns']) => object): ManifestPart[] =>
  partsOf().map((part) => (part.part === 'columns' ? { ...part, columns: { ...part.columns, ...change(part.columns) } } : part))

describe('readManifest', () => {
  it('reads what was written, in as many parts as it needs', async () => {
    const wide = madeUp(20_000, 150)
    const parts = [...manifestParts(wide)]
    assert.ok(parts.length > 4 && parts.every((part) => part.part !== 'columns' || part.columns.hashes.length < 512 * 1024))
    const { classes, samples, digest } = await read(parts, wide.digest)
    assert.deepEqual({ classes, digest, samples: listed(samples) }, { classes: wide.classes, digest: wide.digest, samples: listed(wide.samples) })
    assert.deepEqual(listed((await read(partsOf())).samples), two)
  })

  it('lets heartbeats go on: others have their turn after each part', async () => {
    const parts = [...manifestParts(madeUp(40_000))]
    let turns = 0
    const turn = (): void => {
      turns++
      next = setImmediate(turn)
    }
    let next = setImmediate(turn)
    await read(parts, madeUp(40_000).digest)
    clearImmediate(next)
    assert.ok(parts.length >= 10 && turns >= parts.length - 1, `${turns} turns, ${parts.length} parts`)
  })

  it('refuses paths that lead out of the root, or cannot be read', async () => {
    for (const path of ['../x.jpg', 'cane/../../x.jpg', '/etc/passwd', 'C:/x.jpg', 'c:x.jpg', 'cane\\..\\x.jpg', 'cane//x.jpg', './x.jpg', 'cane/', '', 'cane/x\0.jpg', 'cane/x\n.jpg', 'e\u0301.jpg', `${'a'.repeat(4097)}.jpg`]) {
      await refuses(withColumns(() => ({ paths: PathList.of([path, 'gatto/0.jpg']).encoded(0, 2) })), 'a path of sample 0')
    }
    for (const paths of [Buffer.alloc(0), Buffer.from([0, 200, 1, 65]), Buffer.from([9, 1, 65]), Buffer.from([255, 255, 255, 255])]) await refuses(withColumns(() => ({ paths })), 'a path of sample 0 that cannot be read')
    await refuses(withColumns(({ paths }) => ({ paths: Buffer.concat([paths, Buffer.from([0, 1, 122])]) })), 'more paths than samples')
  })

  it('refuses values out of range', async () => {
    await refuses(withColumns(() => ({ classes: Buffer.from(Uint32Array.of(0, 2).buffer) })), 'class 2 of sample 1, which must be below 2')
    for (const bytes of [0, 2 ** 28 + 1]) await refuses(withColumns(() => ({ bytes: Buffer.from(Uint32Array.of(1, bytes).buffer) })), `${bytes} bytes of sample 1`)
    await refuses(withColumns(() => ({ tests: Buffer.from([0, 2]) })), 'split 2 of sample 1')
    for (const hashes of [Buffer.alloc(63), Buffer.alloc(65)]) await refuses(withColumns(() => ({ hashes })), 'columns of different lengths')
    await refuses(withColumns(() => ({ tests: Buffer.from([0, 1, 0]) })), 'columns of 3 samples after 0 of 2')
    await refuses(partsOf({ testFraction: 1 }), '1 as its share to test on')
  })

  it('refuses samples and classes that are repeated or out of order', async () => {
    await refuses(partsOf({ samples: Samples.of([...two].reverse()) }), 'a path of sample 1, which must follow')
    await refuses(partsOf({ samples: Samples.of([two[0], two[0]]) }), 'a path of sample 1, which must follow')
    for (const name of ['gatto', '../gatto', 'a/b', '']) await refuses(partsOf({ classes: ['gatto', name] }), 'class 1')
  })

  it('refuses what is no manifest, or not the whole of one', async () => {
    const [head, names, columns] = partsOf()
    await refuses([], 'does not begin with its head')
    await refuses([columns], 'does not begin with its head')
    await refuses([head, head], 'two heads')
    await refuses([head, names], '0 of 2 samples and 2 of 2 classes')
    await refuses([head, columns], '2 of 2 samples and 0 of 2 classes')
    await refuses([head, names, columns, columns], 'columns of 2 samples after 2 of 2')
    await refuses([head, names, names], 'class 2, which must not be there')
    await refuses(partsOf({ classes: ['cane'] }), '1 classes, where 2 to 100000 may be')
    await refuses([{ part: 'head', head: { digest: sha256, classes: 2, samples: 4e9, skipped: 0, testFraction: 0 } }], '4000000000 samples')
  })

  it('refuses the manifest of another data set', async () => {
    await assert.rejects(read(partsOf(), sha256.replace('0', '1')), /of another data set/)
  })
})

describe('readWantedCopy', () => {
  const copyOf = (parts: Iterable<ManifestPart>): ReturnType<typeof readWantedCopy> => readWantedCopy(sent(parts), { datasetDigest: sha256 })

  it('reads what is left out and how images are split, and no column', async () => {
    const skipped = Array.from({ length: 100_000 }, (_, index) => ({ place: index + 1 }))
    const parts = [...copyParts(source({ samples: madeUp(2).samples, skipped }))]
    assert.ok(parts.length > 2 && parts.every(({ part }) => part === 'head' || part === 'skipped'))
    assert.deepEqual(await copyOf(parts), { digest: sha256, samples: 2, testFraction: 0.2, skipped: skipped.map(({ place }) => place) })
    assert.deepEqual(await copyOf(copyParts(source({ testFraction: undefined }))), { digest: sha256, samples: 2, testFraction: undefined, skipped: [] })
  })

  it('refuses images that cannot be left out, and a list that is cut off', async () => {
    for (const places of [[3], [1, 1], [2, 1], [0, 1]]) {
      const head: ManifestPart = { part: 'head', head: { digest: sha256, classes: 2, samples: 2, skipped: 1, testFraction: 0.2 } }
      await assert.rejects(copyOf([head, { part: 'skipped', skipped: { places } }]), /leaves out image \d, which does not fit/)
      await assert.rejects(copyOf([head]), /0 of 1 images that are left out/)
    }
  })
})
