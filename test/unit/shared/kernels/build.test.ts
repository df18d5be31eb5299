import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'node:test'
import { compileKernel, kernelNames } from '../../../../shared/kernels/build.ts'
import { kernelFile, loadKernel } from '../../../../shared/kernels/kernel.ts'

for (const name of kernelNames()) {
  test(`the committed ${name}.wasm is what its source compiles to (else: npm run build:kernels)`, async () => {
    assert.deepEqual(Buffer.from(await compileKernel(name)), await readFile(kernelFile(name)))
  })
}

test('more memory than WebAssembly can address is left to the plain TypeScript', () => {
  assert.equal(loadKernel('sum', 2 ** 32 + 1), undefined)
  assert.equal(loadKernel('sum', 65_537)?.memory.buffer.byteLength, 2 * 65_536)
})
