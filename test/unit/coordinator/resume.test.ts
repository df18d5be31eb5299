import assert from 'node:assert/strict'
import test from 'node:test'
import { coordinatorOptions, type CoordinatorOptions } from '../../../coordinator/options.ts'
import { resumedOptions } from '../../../coordinator/resume.ts'
import { CheckpointError, UsageError } from '../../../shared/kit/errors.ts'
import { exampleCheckpoint } from '../shared/checkpoint/example.ts'

const asked = Object.fromEntries(Object.entries(coordinatorOptions).map(([key, { fallback }]) => [key, fallback])) as unknown as CoordinatorOptions

function resume(config: Record<string, unknown>, given: Partial<CoordinatorOptions> = {}): CoordinatorOptions {
  return resumedOptions({ ...asked, ...given }, new Set(Object.keys(given)), { ...exampleCheckpoint(), config }, 'latest.ckpt')
}

test('what decides the result is what the run began with; what does not is as it is asked for', () => {
  const { compress, lr, batch, epochs } = resume({ compress: 'bf16', lr: 0.01, batch: 12, epochs: 3 }, { epochs: 7 })
  assert.deepEqual({ compress, lr, batch, epochs }, { compress: 'bf16', lr: 0.01, batch: 12, epochs: 7 })
  assert.throws(() => resume({ compress: 'bf16' }, { compress: 'int8' }), (error: Error) => error instanceof UsageError && /^--compress int8: the run of latest.ckpt began with bf16/.test(error.message))
})

test('a run that began with what this version does not have, as fp16 on the wire, is not resumed, whatever is asked for', () => {
  const refused = (option: string) => (error: Error) =>
    error instanceof CheckpointError && error.message === `latest.ckpt was begun with ${option} fp16, which this version of Herd does not have: expected one of none, bf16, int8. Go on with the version that began it, or begin a new run.`
  assert.throws(() => resume({ compress: 'fp16' }), refused('--compress'))
  assert.throws(() => resume({ compressWeights: 'fp16' }), refused('--compress-weights'))
  assert.throws(() => resume({ compressWeights: 'fp16' }, { compressWeights: 'bf16' }), refused('--compress-weights'))
})
