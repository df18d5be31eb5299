import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import type { z } from 'zod'
import { machineFingerprintSchema } from '../../cli/commands/fingerprint.ts'
import { ROOT } from '../../shared/kit/project.ts'
import { processorExtensions } from '../../shared/kit/processor.ts'
import { run } from '../support/processes.ts'
import { EVERYWHERE } from '../support/same_everywhere.ts'
import { withoutNative } from '../support/workspace.ts'

async function fingerprint(args: readonly string[], environment: Record<string, string> = {}): Promise<z.infer<typeof machineFingerprintSchema>> {
  const { code, stdout, stderr } = await run('herd', ['fingerprint', '--json', ...args], environment)
  assert.equal(code, 0, stderr)
  return machineFingerprintSchema.parse(JSON.parse(stdout))
}

/** Fingerprints of docs/numerics.md by kind of processor: native f32, native bf16, portable f32. */
async function documented(): Promise<Map<string, string[]>> {
  const rows = (await readFile(path.join(ROOT, 'docs/numerics.md'), 'utf8')).split('\n').map((line) => line.split(' | ')).filter(([, kind]) => kind?.includes(' family '))
  return new Map(rows.map(([, kind, , ...cells]) => [kind, cells.map((cell) => cell.slice(1, 17))]))
}

test('wasm computes, and images are prepared, as on every machine', async () => {
  const { input, numerics, processor } = await fingerprint(['--engine', 'wasm'])
  assert.deepEqual(numerics.map(({ kind, numerics: kernels, precision, fingerprint: bits }) => [kind, kernels, precision, bits]), [['wasm', 'portable', 'f32', EVERYWHERE.wasm]])
  assert.equal(input, EVERYWHERE.input)
  assert.notEqual(processor.name, '')
})

test('portable numerics stay when the processor seems to be another one, native ones do not; without AVX2 they are refused', { skip: withoutNative }, async () => {
  if (!processorExtensions().has('avx2')) {
    const { code, stderr } = await run('herd', ['fingerprint', '--numerics', 'portable', '--engine', 'native'])
    assert.equal(code, 1)
    return assert.match(stderr, /^error: .*--numerics portable needs a processor with AVX2/m)
  }
  const { numerics: [native, portable] } = await fingerprint(['--engine', 'native', '--precision', 'f32'], { ONEDNN_MAX_CPU_ISA: 'SSE41' })
  assert.deepEqual([native.numerics, portable.numerics], ['native', 'portable'])
  assert.notEqual(native.fingerprint, portable.fingerprint)
  assert.equal(portable.fingerprint, EVERYWHERE.portable)
  const table = await documented()
  assert.ok(table.size > 0)
  for (const [kind, [, , documentedPortable]] of table) assert.equal(documentedPortable, EVERYWHERE.portable, kind)
})

test('what nothing computes is refused, with the reason', async () => {
  const { code, stderr } = await run('herd', ['fingerprint', '--numerics', 'portable', '--precision', 'bf16'])
  assert.equal(code, 2, stderr)
  assert.match(stderr, /^error: nothing computes so: wasm and --numerics portable compute in float32 on the CPU with one thread\. Leave an option out\.$/m)
})
