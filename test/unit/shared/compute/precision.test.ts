import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BF16_MARGIN, choosePrecision, measurePrecision } from '../../../../shared/compute/precision.ts'
import { nativeAvailable } from '../../../../shared/engine/native.ts'

test('bf16 is chosen from a clear margin on', async () => {
  for (const [ratio, precision] of [[0.2, 'f32'], [1, 'f32'], [BF16_MARGIN - 0.01, 'f32'], [BF16_MARGIN, 'bf16'], [2, 'bf16']] as const) {
    const chosen = await choosePrecision({ engine: 'native', numerics: 'native' }, () => Promise.resolve({ ratio }))
    assert.deepEqual([chosen.precision, chosen.ratio], [precision, ratio])
    assert.ok(chosen.reason.includes(`${ratio.toFixed(2)} times`), chosen.reason)
  }
})

test('without a measurement it is f32, and the reason is told', async () => {
  const failed = await choosePrecision({ engine: 'native', numerics: 'native' }, () => Promise.resolve({ failure: 'no kernel for bfloat16' }))
  assert.deepEqual(failed, { precision: 'f32', ratio: undefined, reason: 'bf16 could not be measured (no kernel for bfloat16)' })
  const wasm = await choosePrecision({ engine: 'wasm', numerics: 'native' }, () => Promise.reject(new Error('there is nothing to measure')))
  assert.deepEqual(wasm, { precision: 'f32', ratio: undefined, reason: 'wasm computes in float32 only' })
  const portable = await choosePrecision({ engine: 'native', numerics: 'portable' }, () => Promise.reject(new Error('there is nothing to measure')))
  assert.deepEqual(portable, { precision: 'f32', ratio: undefined, reason: '--numerics portable computes in float32 only' })
})

test('this machine is measured', { skip: nativeAvailable() ? false : 'the native engine is not installed: run `npx herd setup`' }, async () => {
  const measurement = await measurePrecision({ threads: 1 })
  assert.ok('ratio' in measurement && measurement.ratio > 0.001 && measurement.ratio < 1000, JSON.stringify(measurement))
})

test('a process that cannot measure says why', async () => {
  const measurement = await measurePrecision({ threads: 0 })
  assert.ok('failure' in measurement && measurement.failure.includes('threads'), JSON.stringify(measurement))
})
