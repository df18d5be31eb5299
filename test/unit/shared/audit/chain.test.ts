import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { beginningOf, ChainError, chainOf, lineHash, linkOf, type ChainBeginning, type ChainLine, type ChainLink } from '../../../../shared/audit/chain.ts'
import { merkleRoot } from '../../../../shared/audit/merkle.ts'
import { article } from '../../../../shared/recipe/presets.ts'

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest()
const digest = (number: number): string => sha256(Buffer.of(number)).toString('hex')
const lanesOf = (step: number): string[] => [0, 1, 2].map((lane) => digest(step * 3 + lane).slice(0, 40))

/** A chain of nine steps in epochs of four, of which every third and the last of each epoch are noted. */
function example(): [ChainBeginning, ...ChainLink[]] {
  const beginning = beginningOf({ from: 0, every: 3, stepsPerEpoch: 4, lanes: 3, datasetDigest: digest(1), recipe: { ...article, engine: 'wasm' }, weights: digest(2) })
  const lines: [ChainBeginning, ...ChainLink[]] = [beginning]
  for (const step of [3, 4, 6, 8, 9]) lines.push(linkOf(beginning, step, digest(step), lanesOf(step), lineHash(lines[lines.length - 1])))
  return lines
}

const textOf = (lines: readonly ChainLine[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** Makes the hashes of a chain right again from its first line on, as whoever changes it on purpose would. */
function rehashed(lines: readonly ChainLine[]): ChainLine[] {
  const made: ChainLine[] = []
  for (const line of lines) made.push('previous' in line ? { ...line, previous: lineHash(made[made.length - 1]) } : line)
  return made
}

test('the root over lanes is that of RFC 6962, for any number of lanes', () => {
  const plain = (leaves: readonly Buffer[]): Buffer => {
    if (leaves.length === 1) return sha256(Buffer.of(0), leaves[0])
    const middle = 2 ** Math.floor(Math.log2(leaves.length - 1))
    return sha256(Buffer.of(1), plain(leaves.slice(0, middle)), plain(leaves.slice(middle)))
  }
  for (let lanes = 1; lanes <= 20; lanes++) {
    const digests = Array.from({ length: lanes }, (_, lane) => digest(lane).slice(0, 40))
    assert.equal(merkleRoot(digests), plain(digests.map((each) => Buffer.from(each, 'hex'))).toString('hex'))
  }
})

test('a chain is read as it was written; half a last line is left out', () => {
  const lines = example()
  const chain = chainOf(`${textOf(lines)}{"step":12,`, 'digests.jsonl')
  assert.deepEqual(chain.links.map(({ step, epoch }) => [step, epoch]), [[3, 1], [4, 1], [6, 2], [8, 2], [9, 3]])
  const last = textOf(lines).trimEnd().split('\n').at(-1) ?? ''
  assert.deepEqual(chain.head, { step: 9, lines: 6, hash: sha256(Buffer.from(last)).toString('hex') })
  assert.equal('epochs' in chain.beginning.recipe, false, 'what may change while a run goes on is no part of the chain')
  assert.equal(chain.beginning.recipe['seed'], 0)
})

test('every change of a chain is found and named, unless all hashes after it are made anew', () => {
  const [beginning, third, fourth, ...rest] = example()
  const problems: [RegExp, readonly ChainLine[]][] = [
    [/line 3, does not follow on the line before it/, [beginning, { ...third, weights: digest(99) }, fourth, ...rest]],
    [/line 2, does not follow on the line before it/, [{ ...beginning, datasetDigest: digest(99) }, third, fourth, ...rest]],
    [/line 3, is of step 6, where step 4 is expected: lines are missing/, rehashed([beginning, third, ...rest])],
    [/line 2, has a root that is not that of its lanes/, rehashed([beginning, { ...third, lanes: lanesOf(99) }, fourth, ...rest])],
    [/line 2, has digests of 2 lanes, where the run has 3/, rehashed([beginning, linkOf(beginning, 3, digest(3), lanesOf(3).slice(1), ''.padEnd(64, '0')), fourth])],
    [/line 2, is of step 3, which is not in epoch 2/, rehashed([beginning, { ...third, epoch: 2 }, fourth])],
    [/line 1, is not as expected: digests: /, [third, fourth]],
  ]
  for (const [message, lines] of problems) assert.throws(() => chainOf(textOf(lines), 'digests.jsonl'), (error: unknown) => error instanceof ChainError && message.test(error.message), String(message))
  assert.throws(() => chainOf('', 'digests.jsonl'), /digests\.jsonl has no line/)
  assert.throws(() => chainOf('no json\n', 'digests.jsonl'), /line 1, is not JSON/)
  assert.doesNotThrow(() => chainOf(textOf(rehashed([beginning, { ...third, weights: digest(99) }, fourth, ...rest])), 'digests.jsonl'))
})
