import { rename, rm, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { fileOf, scanFolder } from '../../shared/data/sources/scan.ts'
import { splitOf } from '../../shared/data/split.ts'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import { makeFolders } from '../../shared/kit/folders.ts'

/** The images that trials see: those of the training part alone. */
export interface TrialImages {
  /** Folder to give to --data of a trial. */
  folder: string
  /** Share to give to --test-fraction of a trial. */
  fraction: number
  /** Number of images of the test part, which no trial sees. */
  heldOut: number
}

/**
 * Finds the training part of a data set, so that what is chosen by a sweep has seen no test image. A set with train/ and test/ has it in a folder. Of another one, it is
 * the images that a run with `testFraction` trains on: a folder of links to them is made, once. The hash of a path decides there whether an image is a test image; those
 * that are left have hashes from `testFraction` on, of which the lowest are those to validate on.
 * @param links where the folder of links is, or is made
 * @throws DataError if `data` is no data set; RunError if the links cannot be made
 */
export async function trialImages(data: string, { testFraction, validation }: { testFraction: number; validation: number }, links: string): Promise<TrialImages> {
  const { root, candidates: { paths, tests, spelled } } = await scanFolder(data)
  const places = Array.from({ length: paths.length }, (_, place) => place)
  if (tests !== undefined) {
    const [half] = paths.at(places.find((place) => tests[place] === 0) ?? 0).split('/')
    return { folder: path.join(root, half), fraction: validation, heldOut: places.filter((place) => tests[place] === 1).length }
  }
  const training = [...paths].filter((each) => splitOf(each, testFraction) === 'train')
  if (!(await exists(links))) await makeLinks(links, training.map((each) => [each, fileOf(root, each, spelled)]))
  return { folder: links, fraction: Number((testFraction + (1 - testFraction) * validation).toFixed(9)), heldOut: paths.length - training.length }
}

/** Makes a folder of links, whole or not at all. @param links path in the folder, with '/', and file of each */
async function makeLinks(folder: string, links: readonly (readonly [string, string])[]): Promise<void> {
  const begun = `${folder}.begun`
  try {
    await rm(begun, { recursive: true, force: true })
    for (const parent of new Set(links.map(([name]) => path.dirname(name)))) await makeFolders(path.join(begun, parent))
    for (const [name, file] of links) await symlink(file, path.join(begun, name))
    await rename(begun, folder)
  } catch (error) {
    throw new RunError(`${folder}, with links to the images of the training part, cannot be made: ${messageOf(error)}. Sort the images into train/ and test/, of which a sweep takes train/, or give another --out.`, { cause: error })
  }
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined
}
