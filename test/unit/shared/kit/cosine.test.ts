import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { cosineOfAngle } from '../../../../shared/kit/cosine.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

/** Angles of a whole turn: random ones, and those around every eighth of it, where the formulas change and digits cancel. */
const random = new KeyedRandom(1, Purpose.draw)
const eighths = Array.from({ length: 9 }, (_, eighth) => [0, 1, 2, 1000, 2 ** 20].flatMap((steps) => [1, -1].map((sign) => 2 * Math.PI * (eighth / 8 + sign * steps * 2 ** -32)))).flat().filter((x) => x >= 0 && x <= 2 * Math.PI)
const angles = Float64Array.from([...eighths, 1e-9, 0.3, 0.2999999, 0.7853, 0.78125, ...Array.from({ length: 50_000 }, () => 2 * Math.PI * random.uniform())])

test('the cosine has the same bits on every processor and with every JavaScript engine', () => {
  assert.equal(createHash('sha256').update(new Uint8Array(angles.map(cosineOfAngle).buffer)).digest('hex').slice(0, 16), '3cbb18d07375670f')
})

test('it is what Math.cos is on x86-64, which other processors round differently', () => {
  const close = (value: number, expected: number): boolean => (process.arch === 'x64' ? Object.is(value, expected) : Math.abs(value - expected) <= 2 ** -52)
  assert.deepEqual([...angles].filter((x) => !close(cosineOfAngle(x), Math.cos(x))), [])
})
