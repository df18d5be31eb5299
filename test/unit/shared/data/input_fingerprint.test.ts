import assert from 'node:assert/strict'
import test from 'node:test'
import { inputFacts } from '../../../../shared/data/input_fingerprint.ts'
import { DECODER_VERSION } from '../../../../shared/data/transforms/decode.ts'
import { article } from '../../../../shared/recipe/presets.ts'

test('what is done to images has a fingerprint, which changes with transforms, size and seed, and with nothing else', async () => {
  const run = { augmentation: article.augmentation, evaluation: article.evaluation, seed: 1 }
  const facts = await inputFacts(run, 32)
  assert.match(facts.fingerprint, /^[0-9a-f]{16}$/)
  assert.match(facts.versions, new RegExp(`^Herd \\d+\\.\\d+\\.\\d+, ${DECODER_VERSION.replaceAll('.', '\\.')}$`))
  assert.deepEqual(await inputFacts(run, 32), facts)
  const others = await Promise.all([inputFacts({ ...run, seed: 2 }, 32), inputFacts(run, 33), inputFacts({ ...run, augmentation: run.evaluation }, 32)])
  assert.equal(new Set([facts, ...others].map(({ fingerprint }) => fingerprint)).size, 4)
})
