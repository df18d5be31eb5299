import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { trialImages } from '../../../../cli/sweep/images.ts'
import { scanFolder } from '../../../../shared/data/sources/scan.ts'
import { splitOf } from '../../../../shared/data/split.ts'
import { temporaryFolder } from '../../shared/checkpoint/example.ts'

const SHARES = { testFraction: 0.2, validation: 0.25 }

/** Writes files that are images by their names; none is decoded here. */
async function makeClasses(folder: string, perClass: number): Promise<void> {
  for (const name of ['cane', 'gatto']) {
    await mkdir(path.join(folder, name, 'inner'), { recursive: true })
    for (let index = 0; index < perClass; index++) await writeFile(path.join(folder, name, ...(index % 3 === 0 ? ['inner'] : []), `${index}.jpg`), `${name} ${index}`)
  }
}

test('of a set without a split, trials get links to what a run trains on; what they validate on is a share of that', async (t) => {
  const folder = await temporaryFolder(t)
  const data = path.join(folder, 'raw-img')
  await makeClasses(data, 200)
  const links = path.join(folder, 'sweep', 'images')
  const images = await trialImages(folder, SHARES, links)
  const all = [...(await scanFolder(data)).candidates.paths]
  const seen = [...(await scanFolder(images.folder)).candidates.paths]
  assert.deepEqual(seen, all.filter((name) => splitOf(name, SHARES.testFraction) === 'train'), 'exactly the training images of the coordinator')
  assert.equal(images.heldOut, all.length - seen.length)
  assert.equal(images.fraction, 0.4)
  const validation = seen.filter((name) => splitOf(name, images.fraction) === 'test')
  // A quarter of about 320 images; the standard deviation is 8.
  assert.ok(Math.abs(validation.length - 0.25 * seen.length) < 30, String(validation.length))
  assert.equal(await readFile(path.join(links, seen[0]), 'utf8'), await readFile(path.join(data, seen[0]), 'utf8'))

  await writeFile(path.join(data, 'cane', 'later.jpg'), 'x')
  await trialImages(folder, SHARES, links)
  assert.equal((await scanFolder(links)).candidates.paths.length, seen.length, 'a sweep that goes on keeps the images that it began with')
})

test('of a set with train/ and test/, whatever they are called, trials get the first alone', async (t) => {
  const folder = await temporaryFolder(t)
  await makeClasses(path.join(folder, 'Training'), 8)
  await makeClasses(path.join(folder, 'val'), 3)
  assert.deepEqual(await trialImages(folder, SHARES, path.join(folder, 'links')), { folder: path.join(folder, 'Training'), fraction: 0.25, heldOut: 6 })
  await assert.rejects(scanFolder(path.join(folder, 'links')), /does not exist/)
})

test('links that cannot be made are told of, and nothing half-made is taken for whole', async (t) => {
  const folder = await temporaryFolder(t)
  await makeClasses(path.join(folder, 'images'), 20)
  await writeFile(path.join(folder, 'file'), '')
  await assert.rejects(trialImages(path.join(folder, 'images'), SHARES, path.join(folder, 'file', 'links')), /file\/links, with links to the images of the training part, cannot be made: .*Sort the images into train\/ and test\//)
  const links = path.join(folder, 'links')
  await mkdir(`${links}.begun`)
  await symlink('nowhere', path.join(`${links}.begun`, 'left.jpg'))
  await trialImages(path.join(folder, 'images'), SHARES, links)
  assert.deepEqual((await scanFolder(links)).classes, ['cane', 'gatto'])
})
