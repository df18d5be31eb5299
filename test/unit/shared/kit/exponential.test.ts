import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { exponentialOf, logarithmOf, powerOf } from '../../../../shared/kit/exponential.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const COUNT = 50_000

/** Arguments of every size that a softmax and its loss have, and the limits between the cases of the formulas. */
function argumentsOf(): { exponents: Float64Array; numbers: Float64Array } {
  const random = new KeyedRandom(0, Purpose.draw)
  const limits = [0, -0, -1e-9, -(2 ** -28), -0.34657359, -0.34657455, -1.0397195, -1.0397207, -1, -708.4, -744.4400719213812, -745.1332191019411, -745.1332191019412, -746, -Infinity]
  return {
    exponents: Float64Array.from([...limits, ...Array.from({ length: COUNT }, (_, i) => -random.uniform() * [1e-6, 0.3, 1.2, 40, 750][i % 5])]),
    numbers: Float64Array.from([Number.MIN_VALUE, 2 ** -1022, 2 ** -1023, 0.25, 0.5, 1, 1 - 2 ** -53, 1 + 2 ** -52, 1 - 2 ** -21, 1 + 2 ** -21, 2 ** 1023, ...Array.from({ length: COUNT }, (_, i) => random.uniform() * [1, 1e-300, 1e-310, 1e300, 2][i % 5] + Number.MIN_VALUE)]),
  }
}

const digestOf = (values: Float64Array): string => createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex').slice(0, 16)
const { exponents, numbers } = argumentsOf()

test('exponential and logarithm have the same bits on every processor and with every JavaScript engine', () => {
  assert.equal(digestOf(exponents.map(exponentialOf)), 'b59e99f6b28246b1')
  assert.equal(digestOf(numbers.map(logarithmOf)), '49afc271f7cf48b3')
})

test('they are what Math.exp and Math.log are on x86-64, which other processors round differently', () => {
  const close = (value: number, expected: number): boolean => (process.arch === 'x64' ? Object.is(value, expected) : Math.abs(value - expected) <= Math.abs(expected) * 2 ** -51 + Number.MIN_VALUE)
  assert.deepEqual([...exponents].filter((x) => !close(exponentialOf(x), Math.exp(x))), [])
  assert.deepEqual([...numbers].filter((x) => !close(logarithmOf(x), Math.log(x))), [])
  assert.deepEqual([exponentialOf(NaN), logarithmOf(NaN)], [NaN, NaN])
})

test('powers are rounded once: exact integers say so', () => {
  for (const [base, exponent] of [[0.9, 1], [0.9, 2], [0.9, 3], [0.999, 17], [0.999, 1000], [0.95, 333], [0, 3], [0.5, 1074], [0.3, 0]]) {
    assert.equal(powerOf(base, exponent), roundedPower(base, exponent), `${base}^${exponent}`)
  }
  assert.equal(powerOf(0.9, 1e9), 0)
  assert.equal(digestOf(Float64Array.from({ length: COUNT }, (_, i) => powerOf([0.9, 0.999, 0.99][i % 3], i))), 'a10824b56c247448')
})

/** The power as the quotient of integers, rounded to the nearest double. */
function roundedPower(base: number, exponent: number): number {
  const scale = 2n ** 60n
  const integer = BigInt(base * 2 ** 60)
  const numerator = integer ** BigInt(exponent)
  const denominator = scale ** BigInt(exponent)
  if (numerator === 0n) return 0
  // Shifted until the quotient has 64 bits or more; JavaScript rounds such an integer to the nearest double.
  const shift = BigInt(Math.max(0, denominator.toString(2).length - numerator.toString(2).length + 80))
  return scaled(Number((numerator << shift) / denominator), -Number(shift))
}

function scaled(value: number, exponent: number): number {
  return exponent < -1000 ? value * 2 ** -1000 * 2 ** (exponent + 1000) : value * 2 ** exponent
}
