import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { drawDataset } from '../../cli/draw/dataset.ts'
import { processorExtensions } from '../../shared/kit/processor.ts'
import { run } from '../support/processes.ts'
import { EVERYWHERE } from '../support/same_everywhere.ts'
import { createWorkspace, summaryOf, withoutNative, type Workspace } from '../support/workspace.ts'

/**
 * Tests of the digests of default recipes, recorded before recipes were data: a change that is not meant to change the result of a run must not.
 * WebAssembly computes the same on every machine; TensorFlow chooses kernels by processor, so its digests depend on the numerics fingerprint.
 */
let workspace: Workspace
let data: string

before(async () => {
  workspace = await createWorkspace()
  data = (await drawDataset({ out: workspace.path('drawn'), perClass: 5, seed: 0, onProgress: () => undefined })).folder
})
after(() => workspace.remove())

const tiny = ['--model', 'tiny', '--image-size', '64', '--epochs', '2', '--batch', '8', '--lanes', '6']
const compressed = (format: string): string[] => ['--compress', format, '--compress-weights', format]

async function trained(name: string, ...options: string[]): Promise<{ digest: string; fingerprints: string[] }> {
  const out = workspace.path(name)
  const ended = await run('coordinator', ['--data', data, '--out', out, '--listen', '127.0.0.1:0', '--seed', '7', '--test-fraction', '0.5', ...tiny, ...options], workspace.environment)
  assert.equal(ended.code, 0, ended.stderr)
  return summaryOf(out)
}

for (const [format, cluster, digest] of [
  ['none', ['--single-node'], '67deabb5badb16e2157f6054aee526b456262a844105edb54b9e35505018f9c2'],
  ['bf16', ['--local-workers', '2'], '3a99a027559d189860de940bcc17011a17fb69ea3f17993686e7aea3080fdbb1'],
  ['int8', ['--single-node'], 'ca5c75a3d8a5029e0502d106c50f3743965f2cd698f4b3138c5e39389c617777'],
] as const) {
  test(`wasm, ${format} on the wire: the digest is what it was`, async () => {
    assert.equal((await trained(`wasm-${format}`, '--engine', 'wasm', ...compressed(format), ...cluster)).digest, digest)
  })
}

/** Digests of the native engine by numerics fingerprint: AVX2 without AVX512, 32 and 512 KiB of cache, TensorFlow 2.18.1. */
const native: Readonly<Record<string, string>> = { '7a5da9555a5095b3': '057d8fafba82d4991eb52ab1fdcd7d7f138a65464d34d50387fbc964182b28a8' }

test('native: the digest is what it was, where the processor is known; a cluster comes to it on every one', { skip: withoutNative }, async () => {
  const alone = await trained('native-alone', '--engine', 'native', '--single-node')
  const [fingerprint] = alone.fingerprints
  assert.equal((await trained('native-cluster', '--engine', 'native', '--local-workers', '2')).digest, alone.digest)
  assert.equal(alone.digest, native[fingerprint] ?? alone.digest)
})

test('native, portable: a cluster comes to the digest that a single node had, whatever the processor, if it has AVX2', { skip: withoutNative === false && !processorExtensions().has('avx2') ? 'this processor has no AVX2' : withoutNative }, async () => {
  const { digest, fingerprints } = await trained('portable', '--engine', 'native', '--numerics', 'portable', '--local-workers', '1')
  assert.deepEqual(fingerprints, [EVERYWHERE.portable])
  assert.equal(digest, 'ceb497fdf90307b0c77beb6ab2438a982dfe708808d55a3a71611a02aa5dc9f8')
})
