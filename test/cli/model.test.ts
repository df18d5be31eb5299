import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/processes.ts'
import { temporaryFolder } from '../unit/shared/checkpoint/example.ts'

describe('herd model', { concurrency: 2 }, () => {
  it('prints layers with shapes, parameters, multiply-adds and what they see, and the sums', async () => {
    const { code, stdout, stderr } = await run('herd', ['model', 'resnet18', '--image-size', '128', '--classes', '10'])
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /^resnet18: images of 128 x 128 pixels, 10 classes\n\nlayer +output +parameters +M multiply-adds +sees\n/)
    assert.match(stdout, /^conv2d_1 7x7 \/2 +64 x 64 x 64 +9,408 +38\.54 +7$/m)
    assert.match(stdout, /^ {2}conv2d_6 3x3 \/2 +16 x 16 x 128 +73,728 +18\.87 +51$/m)
    assert.match(stdout, /\n11,181,642 parameters, and 9,600 running statistics; one image takes 592\.19 million multiply-adds, and its gradient 3\.48 GFLOP\n$/)
  })

  it("takes a user's file, with the sizes that it names", async (context) => {
    const file = path.join(await temporaryFolder(context), 'mine.json')
    await writeFile(file, JSON.stringify({ name: 'mine', imageSize: 6, classes: 3, layers: [{ type: 'conv2d', filters: 4, kernel: 3 }, { type: 'hardSwish' }, { type: 'globalAveragePool' }, { type: 'dense', units: 'classes' }] }))
    const { code, stdout } = await run('herd', ['model', file, '--json'])
    assert.equal(code, 0)
    const model = JSON.parse(stdout) as { layers: object[] }
    assert.deepEqual({ ...model, layers: model.layers.length }, {
      name: 'mine', imageSize: 6, classes: 3, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], parameters: 127, statistics: 0, multiplyAdds: 1740, gradientFlops: 2 * (2 * 1728 + 3 * 12), layers: 4,
    })
    assert.deepEqual(model.layers[1], { name: 'hardSwish_1', type: 'hardSwish', depth: 0, output: [4, 4, 4], parameters: 0, statistics: 0, multiplyAdds: 0, receptiveField: 3 })
  })

  it('refuses what is no network, and sizes that do not fit it', async () => {
    const wrong: [args: string[], says: RegExp][] = [
      [['resnet19'], /error: resnet19: neither a network that comes with Herd \(article, herd, tiny, resnet18, .*\) nor a file that can be read/],
      [['article', '--image-size', '100'], /error: --image-size 100 is too small for the network "article"/],
    ]
    for (const [args, says] of wrong) {
      const { code, stdout, stderr } = await run('herd', ['model', ...args])
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
      assert.match(stderr, says)
    }
  })
})
