import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkSize, splitOf } from '../../../../shared/data/split.ts'
import { DataError } from '../../../../shared/kit/errors.ts'

describe('splitOf', () => {
  it('keeps the fraction on average, class by class', () => {
    for (const [className, fraction] of [['cane', 0.2], ['gatto', 0.2], ['mucca', 0.5]] as const) {
      const count = 2000
      const tests = Array.from({ length: count }, (_, i) => splitOf(`${className}/${i}.jpeg`, fraction)).filter((split) => split === 'test').length
      const deviation = Math.sqrt((fraction * (1 - fraction)) / count)
      assert.ok(Math.abs(tests / count - fraction) < 4 * deviation, `${tests} of ${count} for ${fraction}`)
    }
  })

  it('is the same for ever: sha256("cane/0.jpeg") begins with 0x9c', () => {
    assert.equal(splitOf('cane/0.jpeg', 0x9c / 256), 'train')
    assert.equal(splitOf('cane/0.jpeg', 0x9d / 256), 'test')
  })
})

describe('checkSize', () => {
  it('refuses, before anything is decoded, what no worker would take', () => {
    checkSize('photos', 100_000, 100_000_000)
    const refuses = (classes: number, images: number, words: RegExp): void => assert.throws(() => checkSize('photos', classes, images), (error) => error instanceof DataError && words.test(error.message))
    refuses(100_001, 200_002, /photos has 100001 classes, where at most 100000 may be/)
    refuses(2, 100_000_001, /photos has 100000001 images, where at most 100000000 may be/)
  })
})
