import assert from 'node:assert/strict'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { crc32c } from '@aws-crypto/crc32c'
import { WriteError } from '../../../../shared/kit/errors.ts'
import { EventFile } from '../../../../shared/tensorboard/event_file.ts'
import { maskedCrc, recordOf } from '../../../../shared/tensorboard/record.ts'
import { temporaryFolder } from '../checkpoint/example.ts'
import { decodeEventFile } from './decode.ts'

/** Test vectors of CRC32C from RFC 3720, appendix B.4. */
const vectors: [string, Buffer, number][] = [
  ['32 bytes of zeroes', Buffer.alloc(32), 0x8a9136aa],
  ['32 bytes of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['32 bytes that count up', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ['32 bytes that count down', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
]
for (const [what, bytes, expected] of vectors) {
  test(`CRC-32C of ${what}, as RFC 3720 has it`, () => assert.equal(crc32c(bytes), expected))
}

test('a record is its length, the data, and a masked checksum of each', () => {
  const record = recordOf(Buffer.from('\u001a\rbrain.Event:2'))
  assert.equal(record.length, 12 + 15 + 4)
  assert.equal(record.readBigUInt64LE(0), 15n)
  assert.equal(record.readUInt32LE(8), maskedCrc(record.subarray(0, 8)))
  assert.equal(record.readUInt32LE(27), maskedCrc(record.subarray(12, 27)))
  // This is the value that TensorBoard computes.
  assert.equal(maskedCrc(Buffer.alloc(32)), 0x0fd7fffa)
})

const surroundings = (now: () => number): { now: () => number; host: string; pid: number } => ({ now, host: 'here', pid: 7 })

/** Steps of the scalars and images, in their order. */
const stepsIn = ({ file }: EventFile): number[] => decodeEventFile(file).flatMap(({ step, scalars, images }) => (Object.keys({ ...scalars, ...images }).length > 0 ? [step] : []))

test('what was written comes back: scalars with NaN and infinities, images, the word of a restart', async (context) => {
  const folder = await temporaryFolder(context)
  const file = EventFile.open(folder, 41, surroundings(() => 1_700_000_000.25))
  await file.scalars(41, { 'train/loss': 0.5, zero: 0, nothing: Number.NaN, all: Number.POSITIVE_INFINITY, less: Number.NEGATIVE_INFINITY })
  await file.image(5_000_000_000, 'test/predictions', Buffer.from('png'), 640, 480)
  await file.flush()
  assert.match(path.basename(file.file), /^events\.out\.tfevents\.1700000000\.here\.7\.\d+$/)
  const common = { wallTime: 1_700_000_000.25, scalars: {}, images: {} }
  assert.deepEqual(decodeEventFile(file.file), [
    { ...common, step: 0, fileVersion: 'brain.Event:2' },
    { ...common, step: 41, restart: true },
    { ...common, step: 41, scalars: { 'train/loss': 0.5, zero: 0, nothing: Number.NaN, all: Number.POSITIVE_INFINITY, less: Number.NEGATIVE_INFINITY } },
    { ...common, step: 5_000_000_000, images: { 'test/predictions': { width: 640, height: 480, channels: 3, png: Buffer.from('png') } } },
  ])
})

test('events are gathered and written about once a second', async (context) => {
  let now = 100
  const file = EventFile.open(await temporaryFolder(context), 1, surroundings(() => now))
  await file.scalars(1, { loss: 1 })
  await assert.rejects(stat(file.file), /ENOENT/, 'nothing is written at once')
  now += 1
  await file.scalars(2, { loss: 2 })
  assert.deepEqual(stepsIn(file), [1, 2])
  now += 0.9
  await file.scalars(3, { loss: 3 })
  assert.deepEqual(stepsIn(file), [1, 2])
  await file.flush()
  assert.deepEqual(stepsIn(file), [1, 2, 3])
})

test('a file comes after those that are there, whatever the clock says', async (context) => {
  const folder = await temporaryFolder(context)
  for (const name of ['events.out.tfevents.0000000500.there.1.0', 'events.out.tfevents.x', 'notes.txt']) await writeFile(path.join(folder, name), '')
  const open = async (now: number): Promise<string> => {
    const file = EventFile.open(folder, 1, surroundings(() => now))
    await file.flush()
    return path.basename(file.file)
  }
  const names = [await open(400), await open(501), await open(9000)]
  assert.deepEqual(names.map((name) => name.split('.')[3]), ['0000000501', '0000000502', '0000009000'])
  assert.deepEqual((await readdir(folder)).filter((name) => names.includes(name)), names)
})

test('what the disk refuses waits, and is written whole and in order when it can be', async (context) => {
  const folder = path.join(await temporaryFolder(context), 'run')
  const file = EventFile.open(folder, 1, surroundings(() => 100))
  await file.scalars(1, { loss: 1 })
  await assert.rejects(file.flush(), (error: unknown) => error instanceof WriteError && error.message.startsWith(`${file.file} cannot be written: `))
  await file.scalars(2, { loss: 2 })
  await mkdir(folder)
  await file.flush()
  await file.flush()
  assert.deepEqual(stepsIn(file), [1, 2])
  await rm(folder, { recursive: true })
})

test('a disk that refuses for long costs no more memory than it may', async (context) => {
  const folder = path.join(await temporaryFolder(context), 'run')
  const file = EventFile.open(folder, 1, surroundings(() => 100))
  const large = Buffer.alloc(10 * 1024 * 1024)
  for (let step = 1; step <= 5; step++) await file.image(step, 'large', large, 1, 1)
  await mkdir(folder)
  await file.flush()
  assert.deepEqual(stepsIn(file), [1, 2, 3])
})
