import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { Precision } from '../../../../shared/engine/engine.ts'
import { nodeArguments } from '../../../../shared/kit/node_process.ts'
import { floatsOf } from '../../../../shared/kit/floats.ts'
import { withoutGpu } from '../../../support/gpu.ts'
import type { Line } from './gradients_process.ts'
import { layerCases, relativeError } from './layers_problem.ts'

/** Tests that compare the graph on a GPU with the graph on the CPU, and its bits with those of another process. */

const skip = await withoutGpu()
type Computed = Exclude<Line, { error: string }>

/** Results for each network, by name, from a process of its own. */
async function linesOf(precision: Precision, gpu?: number): Promise<Map<string, Line>> {
  const file = path.join(import.meta.dirname, 'gradients_process.js')
  const { stdout } = await promisify(execFile)(process.execPath, [...nodeArguments(file), precision, ...(gpu === undefined ? [] : [String(gpu)])], { maxBuffer: 2 ** 28 })
  return new Map(stdout.trim().split('\n').map((text) => JSON.parse(text) as Line).map((line) => [line.name, line]))
}

function computedIn(lines: Map<string, Line>, name: string): Computed {
  const line = lines.get(name)
  assert.ok(line !== undefined, `${name} was not computed`)
  assert.ok(!('error' in line), `${name} failed: ${'error' in line ? line.error : ''}`)
  return line
}

function valuesOf(text: string): Float32Array {
  return floatsOf(Buffer.from(text, 'base64'))
}

const cpu = skip === false ? await linesOf('f32') : new Map<string, Line>()

/**
 * Tolerances. Rounding may move an activation to the other side of a ReLU, or a maximum to another place: among millions of them, some are
 * that close, and bfloat16 has only eight significant bits.
 */
const limits: Record<Precision, { small: number; article: number; loss: number }> = {
  f32: { small: 5e-5, article: 1e-3, loss: 1e-5 },
  bf16: { small: 0.1, article: 0.25, loss: 0.02 },
}

for (const precision of ['f32', 'bf16'] satisfies Precision[]) {
  const [one, other] = skip === false ? await Promise.all([linesOf(precision, 0), linesOf(precision, 0)]) : [new Map<string, Line>(), new Map<string, Line>()]
  for (const name of [...Object.keys(layerCases), 'article']) {
    test(`${name}, ${precision}: the gradient on a GPU is that on the CPU but for rounding, and the same bits in every process`, { skip }, (context) => {
      const [found, elsewhere, wanted] = [computedIn(one, name), computedIn(other, name), computedIn(cpu, name)]
      assert.equal(found.device, 'gpu:0')
      assert.equal(wanted.device, 'cpu')
      assert.ok(found.again, 'other lanes in between change nothing')
      assert.deepEqual(elsewhere, found)

      const limit = name === 'article' ? limits[precision].article : limits[precision].small
      const errors = (['gradient', 'ofOne', 'logits'] as const).map((what) => [what, relativeError(valuesOf(found[what]), valuesOf(wanted[what]))] as const)
      context.diagnostic(`relative errors: ${errors.map(([what, error]) => `${what} ${error.toExponential(1)}`).join(', ')}`)
      for (const [what, error] of errors) assert.ok(error <= limit, `${what} differs by ${error}`)
      assert.ok(Math.abs(found.lossSum - wanted.lossSum) <= limits[precision].loss * wanted.lossSum, `loss ${found.lossSum}, on the CPU ${wanted.lossSum}`)
    })
  }
}
