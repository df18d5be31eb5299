import assert from 'node:assert/strict'
import test from 'node:test'
import { transformListsOf } from '../../../../shared/checkpoint/transform_lists.ts'
import { defaultTransforms, evaluationTransformsSchema } from '../../../../shared/data/transforms/transforms.ts'
import { CheckpointError } from '../../../../shared/kit/errors.ts'
import { buildNetwork } from '../../../../shared/model/models.ts'

const network = buildNetwork('tiny', { imageSize: 16, classes: 2 })
const defaults = defaultTransforms(network)

test('a checkpoint that names no transforms has the default ones, with the figures of its network', () => {
  assert.deepEqual(transformListsOf({ network, config: {} }, 'a.ckpt'), defaults)
  assert.deepEqual(defaults.evaluation.at(-1), { name: 'normalise', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] })
})

test('a checkpoint that names them has those, read from JSON', () => {
  const evaluation = evaluationTransformsSchema.parse([{ name: 'resize', shortSide: 2 }, ...defaults.evaluation.slice(1)])
  const config = JSON.parse(JSON.stringify({ ...defaults, evaluation })) as Record<string, unknown>
  assert.deepEqual(transformListsOf({ network, config }, 'a.ckpt'), { augmentation: defaults.augmentation, evaluation })
})

test('a transform of another Herd is refused with file and place', () => {
  assert.throws(
    () => transformListsOf({ network, config: { augmentation: [{ name: 'warp' }, ...defaults.augmentation] } }, 'a.ckpt'),
    (error) => error instanceof CheckpointError && /^a\.ckpt: the transforms of its run are not known to this Herd \(augmentation\.0\.name: expected a transform .*\)\. Use the Herd that made it\.$/.test(error.message),
  )
})
