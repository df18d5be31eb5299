import type { ManifestSource } from '../../shared/data/manifest.ts'
import { Samples, type Sample } from '../../shared/data/columns/samples.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'

/** Makes up a data set without files, with every fifth image to test on; two are left out. */
export function madeUp(images: number, classes = 2): ManifestSource {
  const names = Array.from({ length: classes }, (_, index) => `class ${String(index).padStart(6, '0')}`)
  const list = Array.from({ length: images }, (_, id): Sample => {
    const index = Math.floor((id * classes) / images)
    return { path: `${names[index]}/${String(id).padStart(8, '0')}.jpeg`, class: index, sha256: sha256Of(String(id)), bytes: 1000 + id, split: id % 5 === 0 ? 'test' : 'train' }
  })
  return { classes: names, samples: Samples.of(list), digest: sha256Of(String(images)), testFraction: 0.2, skipped: [{ place: 1 }, { place: images }] }
}

/** Lists what the columns of samples hold. */
export function listed(samples: Samples): Sample[] {
  return Array.from({ length: samples.length }, (_, id) => samples.at(id))
}
