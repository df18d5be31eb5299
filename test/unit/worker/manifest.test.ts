import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Manifest } from '../../../shared/data/manifest.ts'
import { ProtocolError } from '../../../shared/kit/errors.ts'
import { readManifest } from '../../../worker/manifest.ts'

const sha256 = '0123456789abcdef'.repeat(4)

function valid(): Manifest {
  return {
    classes: ['cane', 'gatto'],
    samples: [
      { path: 'cane/0.jpg', class: 0, sha256, bytes: 1000, split: 'train' },
      { path: 'gatto/0.jpg', class: 1, sha256, bytes: 2000, split: 'test' },
    ],
    digest: sha256,
  }
}

const read = (value: unknown, datasetDigest = sha256): Manifest => readManifest(gzipSync(JSON.stringify(value)), { datasetDigest })

const refuses = (value: unknown, field: string): void =>
  assert.throws(() => read(value), (error: Error) => {
    assert.ok(error instanceof ProtocolError, String(error))
    assert.ok(error.message.includes(field), `"${error.message}" lacks "${field}"`)
    return true
  })

describe('readManifest', () => {
  it('takes what is valid', () => {
    assert.deepEqual(read(valid()), valid())
  })

  it('refuses paths that lead out of the root', () => {
    for (const path of ['../x.jpg', 'cane/../../x.jpg', '/etc/passwd', 'C:/x.jpg', 'c:x.jpg', 'cane\\..\\x.jpg', 'cane//x.jpg', './x.jpg', 'cane/', '', 'cane/x\0.jpg', 'cane/x\n.jpg', 'e\u0301.jpg', `${'a'.repeat(5000)}.jpg`]) {
      const manifest = valid()
      manifest.samples[0].path = path
      refuses(manifest, 'samples.0.path')
    }
  })

  it('refuses values out of range', () => {
    const wrong: [keyof Manifest['samples'][number], unknown][] = [
      ['class', 2], ['class', -1], ['class', 0.5], ['class', '0'],
      ['bytes', 0], ['bytes', -1], ['bytes', 2 ** 40], ['bytes', NaN],
      ['sha256', sha256.toUpperCase()], ['sha256', sha256.slice(1)], ['sha256', `../${sha256.slice(3)}`],
      ['split', 'validation'],
    ]
    for (const [field, value] of wrong) {
      const manifest = valid()
      refuses({ ...manifest, samples: [manifest.samples[0], { ...manifest.samples[1], [field]: value }] }, `samples.1.${field}`)
    }
  })

  it('refuses samples and classes that are repeated or out of order', () => {
    const manifest = valid()
    refuses({ ...manifest, samples: [...manifest.samples].reverse() }, 'samples.1.path')
    refuses({ ...manifest, samples: [manifest.samples[0], manifest.samples[0]] }, 'samples.1.path')
    refuses({ ...manifest, classes: ['gatto', 'cane'] }, 'classes.1')
    refuses({ ...manifest, classes: ['cane', 'cane'] }, 'classes.1')
    refuses({ ...manifest, classes: ['cane', '../gatto'] }, 'classes.1')
  })

  it('refuses what is no manifest', () => {
    for (const value of [null, 'x', 7, [], {}]) assert.throws(() => read(value), ProtocolError)
    for (const bytes of [Buffer.from('x'), gzipSync(''), gzipSync('{')]) assert.throws(() => readManifest(bytes, { datasetDigest: sha256 }), ProtocolError)
    refuses({ ...valid(), classes: ['cane'] }, 'classes')
    refuses({ ...valid(), samples: [] }, 'samples')
    refuses({ ...valid(), digest: 'x' }, 'digest')
    refuses({ ...valid(), extra: 1 }, 'extra')
  })

  it('refuses the manifest of another data set', () => {
    assert.throws(() => read(valid(), sha256.replace('0', '1')), /of another data set/)
  })
})
