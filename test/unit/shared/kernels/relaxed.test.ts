import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import test from 'node:test'
import binaryen from 'assemblyscript/binaryen'
import { kernelNames } from '../../../../shared/kernels/build.ts'
import { kernelFile } from '../../../../shared/kernels/kernel.ts'

/** What WebAssembly fixes to the bit, but for the payload of a NaN. Relaxed SIMD is left out: its operations may round as the processor likes. */
const { Features } = binaryen
const FIXED = Features.MVP | Features.Atomics | Features.MutableGlobals | Features.NontrappingFPToInt | Features.SIMD128 | Features.BulkMemory | Features.BulkMemoryOpt | Features.SignExt | Features.ReferenceTypes | Features.Multivalue

/** True if no function of a binary has an instruction beyond `FIXED`. */
function isFixed(code: Uint8Array): boolean {
  const wasm = binaryen.readBinary(code)
  try {
    wasm.setFeatures(FIXED)
    return wasm.validate() === 1
  } finally {
    wasm.dispose()
  }
}

const backend = path.dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))
/** Those that Node.js loads, with SIMD and without; there are no threads there. */
const binaries = readdirSync(backend).filter((file) => file.endsWith('.wasm') && !file.includes('threaded')).map((file) => path.join(backend, file))

for (const file of [...binaries, ...kernelNames().map(kernelFile)]) {
  test(`${path.basename(file)} has no relaxed SIMD: its results are the same on every processor`, () => assert.ok(isFixed(readFileSync(file))))
}

test('a relaxed operation would be found', () => {
  const wasm = binaryen.parseText('(module (memory 1) (func (export "f") (v128.store (i32.const 0) (f32x4.relaxed_madd (v128.load (i32.const 0)) (v128.load (i32.const 16)) (v128.load (i32.const 32))))))')
  wasm.setFeatures(Features.All)
  assert.equal(isFixed(wasm.emitBinary()), false)
  assert.equal(binaries.length, 2, 'the binaries of the backend were looked at')
})
