import assert from 'node:assert/strict'
import test from 'node:test'
import { defaultEvaluation, defaultTransforms } from '../../../../shared/data/transforms/transforms.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'
import { checkedJson } from '../../../../shared/wire/messages.ts'
import { runDescriptionSchema, type RunDescription } from '../../../../shared/wire/run_description.ts'
import { article } from '../../../../shared/recipe/presets.ts'

const network = buildNetwork('tiny', { imageSize: 8, classes: 2 })
const run: RunDescription = { ...article, name: 'run', network, ...defaultTransforms(network), engine: 'wasm', precision: 'f32', threads: 1, seed: 1, batch: 4, lanes: 2, datasetDigest: '0'.repeat(64), compress: 'none', compressWeights: 'none', trace: false }
const read = (changes: object): RunDescription => checkedJson(runDescriptionSchema, JSON.stringify({ ...run, ...changes }), "the coordinator's run")

test("a run's transforms arrive as they were sent", () => {
  assert.deepEqual(read({}), run)
})

test('transforms that a worker cannot do, or that are not those of the network, are refused with their place', () => {
  const [flip, ...others] = run.augmentation
  assert.throws(() => read({ augmentation: undefined }), /^ProtocolError: the coordinator's run is not as the protocol has it: augmentation: /)
  assert.throws(() => read({ augmentation: [...others, flip] }), /augmentation\.4: "flip" takes a photograph of any size; after "normalise" there is normalised numbers$/)
  assert.throws(() => read({ evaluation: run.augmentation }), /evaluation\.0\.name: "flip" draws random numbers: leave it to the augmentation$/)
  assert.throws(() => read({ evaluation: defaultEvaluation }), /message: normalise of evaluation has mean unsaid and std unsaid, the network mean 0\.5, 0\.5, 0\.5 and std /)
})
