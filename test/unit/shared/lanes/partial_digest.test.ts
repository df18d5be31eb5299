import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import test from 'node:test'
import { bytesOf } from '../../../../shared/kit/floats.ts'
import { depositKey, PartialDigest, roundKey } from '../../../../shared/lanes/partial_digest.ts'
import { KeyedRandom, Purpose } from '../../../../shared/random/philox.ts'

const random = new KeyedRandom(1, Purpose.simulation)
const values = Float32Array.from({ length: 1000 }, () => random.between(-1, 1))
const key = depositKey(roundKey('secret', 3), { session: 'a', node: 5 })

function digestOf(parts: readonly Float32Array[], under = key): string {
  const digest = new PartialDigest(under)
  for (const part of parts) digest.add(part)
  assert.equal(digest.floats, parts.reduce((sum, { length }) => sum + length, 0))
  return digest.end()
}

test('the digest is GMAC over the bytes, wherever they are cut', () => {
  const cipher = createCipheriv('aes-128-gcm', Buffer.from(key, 'hex'), Buffer.alloc(12))
  cipher.setAAD(Buffer.from(bytesOf(values)))
  cipher.final()
  const expected = cipher.getAuthTag().toString('hex')
  for (const cut of [0, 1, 3, 500, 999, 1000]) assert.equal(digestOf([values.subarray(0, cut), values.subarray(cut)]), expected)
})

test('one bit, one float more, and other keys make other digests', () => {
  const flipped = values.slice()
  new Uint32Array(flipped.buffer)[700] ^= 1
  const others = [
    digestOf([values]), digestOf([flipped]), digestOf([values, new Float32Array(1)]),
    ...[depositKey(roundKey('secret', 4), { session: 'a', node: 5 }), depositKey(roundKey('secret', 3), { session: 'b', node: 5 }), depositKey(roundKey('secret', 3), { session: 'a', node: 6 }), depositKey(roundKey('other', 3), { session: 'a', node: 5 })].map((under) => digestOf([values], under)),
  ]
  assert.equal(new Set(others).size, others.length)
  for (const each of others) assert.match(each, /^[0-9a-f]{32}$/)
})
