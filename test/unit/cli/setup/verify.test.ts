import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { verifyPackage } from '../../../../cli/setup/verify.ts'

/** Source of a package that stands for tfjs-node; `sum` is the result that it claims to have computed. */
const standIn = (sum: number): string => `
const tensor = { dataSync: () => [${sum}] }
module.exports = {
  fill: () => tensor, matMul: () => tensor, sum: () => tensor, getBackend: () => 'tensorflow',
  backend: () => ({ binding: { TF_Version: '2.0.0' }, isUsingGpuDevice: false }),
}`

describe('verifyPackage', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'herd-verify-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('returns what a package that computes says about itself', async () => {
    await writeFile(join(folder, 'index.js'), standIn(1572864))
    assert.deepEqual(await verifyPackage(folder, process.env), { tensorflow: '2.0.0', usesGpu: false })
  })

  it('fails for a wrong result, one that does not load and one that crashes', async () => {
    await writeFile(join(folder, 'index.js'), standIn(1))
    await assert.rejects(verifyPackage(folder, process.env), { name: 'RunError', message: /computed 1 instead of 1572864/ })
    await writeFile(join(folder, 'index.js'), 'throw new Error("libtensorflow.so.2: cannot open shared object file")')
    await assert.rejects(verifyPackage(folder, process.env), /does not work: Error: libtensorflow\.so\.2: cannot open/)
    await writeFile(join(folder, 'index.js'), 'process.kill(process.pid, "SIGILL")')
    await assert.rejects(verifyPackage(folder, process.env), /ended by SIGILL/)
  })
})
