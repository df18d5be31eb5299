import assert from 'node:assert/strict'
import test from 'node:test'
import { codecFor, type Codec } from '../../../../shared/compress/codec.ts'
import { compressions, encodedBytes } from '../../../../shared/compress/format.ts'
import { plainDecode, plainEncode, plainRound } from '../../../../shared/compress/plain.ts'
import { ProtocolError } from '../../../../shared/kit/errors.ts'
import { compressKernel } from '../../../../shared/compress/kernel.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'
import { bytesOf } from '../../../../shared/kit/floats.ts'

const kernel = compressKernel() ?? assert.fail('this machine has no kernel')
const random = new KeyedRandom(4, Purpose.draw)
const formats = compressions.filter((compression) => compression !== 'none')
const key = { seed: 7, step: 12, node: 3 }

const special = [0, -0, 1, -1, 1e-45, -1e-45, 1e-40, 2 ** -14, 2 ** -24, -(2 ** -25), 65504, 65519, 65520, 70000, -1e30, 3.4028234e38, 127, 127.5, -127.9, 63.5, 2 ** -110, 2 ** -120]
/** A random vector of values of any magnitude, or of similar magnitude as in gradients; some are zeros and edge cases. */
function randomVector(length: number, alike: boolean): Float32Array {
  return Float32Array.from({ length }, (_, i) => (i % 13 === 0 ? special[random.below(special.length)] : random.normal() * 10 ** (alike ? -3 : random.between(-44, 38))))
}
const notFinite = (values: Float32Array): Float32Array => values.map((value, i) => (i % 97 === 5 ? [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][i % 3] : value))

function decoded(codec: Codec, bytes: Buffer): Float32Array {
  const values = new Float32Array(codec.floatsIn(bytes.length))
  codec.decodeInto(bytes, values)
  return values
}

/** Asserts that vectors have the same bits; all NaN count as equal. */
function assertSame(actual: Float32Array, expected: Float32Array, what: string): void {
  const plain = (values: Float32Array): Float32Array => values.map((value) => (Number.isNaN(value) ? Number.NaN : value))
  assert.ok(bytesOf(plain(actual)).equals(bytesOf(plain(expected))), what)
}

for (const format of formats) {
  test(`${format}: the kernel rounds, encodes and decodes to the bit what the plain loops do, for any length, finite or not`, () => {
    for (const length of [0, 1, 5, 63, 64, 65, 1000, 16_384, 16_385, 40_003]) {
      for (const alike of [true, false]) {
        for (const values of [randomVector(length, alike), notFinite(randomVector(length, alike))]) {
          for (const noiseKey of [key, undefined]) {
            const what = `${length} floats, ${noiseKey === undefined ? 'nearest' : 'random'}`
            const memory = new Float32Array(length + 8).fill(77)
            memory.set(values, 3)
            const rounded = memory.subarray(3, 3 + length)
            const expected = values.slice()
            kernel.round(format, rounded, 128, noiseKey)
            plainRound(format, expected, 128, noiseKey)
            assertSame(rounded, expected, `rounded: ${what}`)
            assert.ok([0, 1, 2, length + 3, length + 7].every((i) => memory[i] === 77), 'writes nothing else')

            const bytes = new Uint8Array(encodedBytes(format, length))
            const plainBytes = new Uint8Array(bytes.length)
            kernel.encode(format, expected, bytes)
            plainEncode(format, expected, plainBytes)
            assert.ok(Buffer.from(bytes).equals(plainBytes), `encoded: ${what}`)

            const decoded = new Float32Array(length)
            const plainDecoded = new Float32Array(length)
            kernel.decode(format, bytes, decoded)
            plainDecode(format, bytes, plainDecoded)
            assertSame(decoded, plainDecoded, `decoded: ${what}`)
            assertSame(decoded, expected, `what is rounded travels without loss: ${what}`)
          }
        }
      }
    }
  })

  test(`${format}: whatever bytes come are read by kernel and plain loops alike`, () => {
    for (const length of [64, 1000]) {
      const bytes = Uint8Array.from({ length: encodedBytes(format, length) }, () => random.below(256))
      const decoded = new Float32Array(length)
      const expected = new Float32Array(length)
      kernel.decode(format, bytes, decoded)
      plainDecode(format, bytes, expected)
      assertSame(decoded, expected, `${length} floats`)
    }
  })

  test(`${format}: a vector rounds the same in parts as whole, and to something else with another key`, () => {
    const values = randomVector(1000, true)
    const whole = values.slice()
    plainRound(format, whole, 0, key)
    const parts = values.slice()
    for (let begin = 0; begin < parts.length; begin += 192) codecFor(format).round(parts.subarray(begin, begin + 192), begin, key)
    assertSame(parts, whole, 'in parts')
    for (const other of [{ ...key, seed: 8 }, { ...key, step: 13 }, { ...key, node: 4 }]) {
      const different = values.slice()
      plainRound(format, different, 0, other)
      assert.notDeepEqual(different, whole)
    }
  })

  test(`${format}: rounding is unbiased, never further than the next value, and leaves what the format holds`, () => {
    const values = Float32Array.from({ length: 256 }, () => random.normal() * 1e-3)
    const nearest = values.slice()
    plainRound(format, nearest, 0, undefined)
    const rounds = 4000
    const mean = new Float64Array(values.length)
    const spread = new Float64Array(values.length)
    for (let step = 0; step < rounds; step++) {
      const rounded = values.slice()
      codecFor(format).round(rounded, 0, { ...key, step })
      rounded.forEach((value, i) => {
        mean[i] += value / rounds
        spread[i] += (value - values[i]) ** 2 / rounds
      })
      if (step === 0) {
        const again = rounded.slice()
        codecFor(format).round(again, 0, { ...key, step: 1 })
        assertSame(again, rounded, 'again')
      }
    }
    const largest = Math.max(...values.map(Math.abs))
    const gaps = values.map((value) => ({ bf16: Math.abs(value) * 2 ** -7, int8: largest / 63 })[format])
    // The tolerance is five standard errors of the mean, and an allowance for events so rare that none may have been drawn.
    values.forEach((value, i) => assert.ok(Math.abs(mean[i] - value) <= 5 * Math.sqrt(spread[i] / rounds) + (10 * gaps[i]) / rounds, `${value} becomes ${mean[i]} on average`))
    values.forEach((value, i) => assert.ok(Math.abs(nearest[i] - value) <= gaps[i] / 2, `${value} is rounded to ${nearest[i]}`))
  })
}

test('a value that goes up with the probability of its place between two neighbours', () => {
  const values = new Float32Array(6400).fill(1 + 2 ** -7 / 4)
  codecFor('bf16').round(values, 0, key)
  const up = values.filter((value) => value === 1 + 2 ** -7).length
  assert.equal(values.filter((value) => value === 1).length, values.length - up)
  assert.ok(Math.abs(up / values.length - 0.25) < 0.03, `${up} of ${values.length}`)
})

test('bytes: bf16 halves them, int8 quarters them but for a scale for 64', () => {
  assert.deepEqual(compressions.map((compression) => encodedBytes(compression, 6400)), [25_600, 12_800, 6500])
  for (const compression of compressions) {
    const codec = codecFor(compression)
    for (const length of [1, 63, 64, 65, 129, 6400]) assert.equal(decoded(codec, codec.encode(new Float32Array(length))).length, length)
  }
})

test('a length that no vector has is refused', () => {
  assert.throws(() => codecFor('none').floatsIn(5), ProtocolError)
  assert.throws(() => codecFor('bf16').floatsIn(5), ProtocolError)
  assert.throws(() => codecFor('int8').floatsIn(1), ProtocolError)
  assert.throws(() => codecFor('int8').floatsIn(66), ProtocolError)
})
