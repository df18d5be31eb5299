import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { splitOf } from '../../../../shared/data/split.ts'

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
