import { type Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DataError, messageOf } from '../../kit/errors.ts'
import { byCodeUnits, pathProblem } from './paths.ts'

/** A file that is an image by its name; it has not been decoded yet, and may turn out to be unreadable. */
export interface Candidate {
  /** Path relative to the root, with '/', Unicode-normalised (NFC): the image's identity on every machine. */
  path: string
  /** Path of the file on this machine, which may spell the same characters in another Unicode form. */
  file: string
  /** Index of the image's class in the scan's classes. */
  class: number
  /** Side of the split, if the folders train/ and test/ decide it. */
  split?: Split
}

export type Split = 'train' | 'test'

export interface Scan {
  /** Absolute path of the folder that holds the classes, or train/ and test/. */
  root: string
  /** Names of the class folders, in code-unit order. */
  classes: string[]
  /** Candidates sorted by path, in code-unit order. */
  candidates: Candidate[]
}

const IMAGE_NAME = /\.(jpe?g|png|webp|gif|tiff?)$/i
const LAYOUT = 'It must hold one folder of images for each class, at least two, or train/ and test/ with the same classes inside.'

/**
 * Finds the images of a data set with one folder for each class: root/class/image, or root/train/class/image and root/test/class/image. A
 * root whose only folder is raw-img (Animals-10 as it is unpacked) is replaced by that folder. Folders inside a class belong to the class;
 * hidden files and folders, and folders without images, are skipped; links are followed.
 * @throws DataError if the folder is missing or unreadable, its classes are too few, too small or not the same in train/ and test/, or a
 *   path cannot be used.
 */
export async function scanFolder(folder: string): Promise<Scan> {
  const given = resolve(folder)
  await checkFolder(given)
  const folders = await foldersIn(given)
  const root = folders.length === 1 && folders[0] === 'raw-img' ? join(given, 'raw-img') : given

  const top = await imagesByFolder(root, '')
  const halves = await splitFolders(root, top)
  const scan = halves === undefined ? fromClasses(root, top) : fromHalves(root, halves.train, halves.test)
  scan.candidates.sort((a, b) => byCodeUnits(a.path, b.path))
  checkPaths(scan)
  return scan
}

/** Images by the class folder that they are in; folders without images are left out. */
type ImagesByFolder = Map<string, Found[]>
export interface Found {
  path: string
  file: string
}

function fromClasses(root: string, found: ImagesByFolder): Scan {
  const classes = checkClasses(root, found)
  const small = classes.find((name) => imagesOf(found, name).length < 2)
  if (small !== undefined) {
    throw new DataError(`class ${small} in ${root} has only 1 image, but needs at least one for training and one for testing: add images, or move the folder away.`)
  }
  return { root, classes, candidates: classes.flatMap((name, index) => imagesOf(found, name).map((image) => ({ ...image, class: index }))) }
}

function fromHalves(root: string, train: ImagesByFolder, test: ImagesByFolder): Scan {
  for (const [half, other, name] of [[train, test, 'test'], [test, train, 'train']] as const) {
    const missing = [...half.keys()].find((className) => !other.has(className))
    if (missing !== undefined) {
      throw new DataError(`class ${missing} has no images in ${join(root, name)}, but train/ and test/ must have the same classes: add images there, or remove the class from both.`)
    }
  }
  const classes = checkClasses(join(root, 'train'), train)
  const of = (half: ImagesByFolder, split: Split): Candidate[] =>
    classes.flatMap((name, index) => imagesOf(half, name).map((image) => ({ ...image, class: index, split })))
  return { root, classes, candidates: [...of(train, 'train'), ...of(test, 'test')] }
}

function imagesOf(found: ImagesByFolder, name: string): Found[] {
  return found.get(name) ?? []
}

function checkClasses(folder: string, found: ImagesByFolder): string[] {
  const classes = [...found.keys()].sort(byCodeUnits)
  if (classes.length === 0) throw new DataError(`data folder ${folder} holds no folders with images (jpg, png, webp, gif or tiff). ${LAYOUT}`)
  if (classes.length === 1) throw new DataError(`data folder ${folder} has only one class, ${classes[0]}. ${LAYOUT}`)
  return classes
}

/**
 * Finds the class folders inside train/ and test/.
 * @returns undefined if the root does not have both, or neither of them has class folders inside
 * @throws DataError if only one of them has class folders, or the root has further folders with images
 */
async function splitFolders(root: string, top: ImagesByFolder): Promise<{ train: ImagesByFolder; test: ImagesByFolder } | undefined> {
  if (!top.has('train') || !top.has('test')) return undefined
  const train = await imagesByFolder(join(root, 'train'), 'train/')
  const test = await imagesByFolder(join(root, 'test'), 'test/')
  if (train.size === 0 && test.size === 0) return undefined
  if (train.size === 0 || test.size === 0) {
    const [without, other] = train.size === 0 ? ['train', 'test'] : ['test', 'train']
    throw new DataError(`data folder ${root} has class folders in ${other}/ but only loose images in ${without}/: sort those into class folders as well, or give --data ${join(root, other)}.`)
  }
  const others = [...top.keys()].filter((name) => name !== 'train' && name !== 'test')
  if (others.length > 0) {
    throw new DataError(`data folder ${root} has train/ and test/, but also ${others.sort(byCodeUnits).join('/, ')}/, whose images would be left out: move it away, or its images into one of the two.`)
  }
  return { train, test }
}

async function imagesByFolder(folder: string, prefix: string): Promise<ImagesByFolder> {
  const found: ImagesByFolder = new Map()
  for (const name of await foldersIn(folder)) {
    const normal = name.normalize('NFC')
    const images = await imagesBelow(join(folder, name), `${prefix}${normal}/`)
    if (images.length > 0) found.set(normal, [...imagesOf(found, normal), ...images])
  }
  return found
}

/** @throws DataError if the folder is gone, or must not be read */
async function realPath(folder: string): Promise<string> {
  try {
    return await realpath(folder)
  } catch (error) {
    throw new DataError(`data folder ${folder} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

/**
 * Finds the files below a folder that are images by their names, in no particular order; hidden files and folders are skipped, links followed.
 * @param prefix beginning of the returned paths.
 * @param parents real paths of the folders above, so that links that lead in a circle are not followed for ever.
 * @throws DataError if a folder cannot be read.
 */
export async function imagesBelow(folder: string, prefix: string, parents: string[] = []): Promise<Found[]> {
  const real = await realPath(folder)
  if (parents.includes(real)) return []
  const images: Found[] = []
  for (const entry of await visibleEntries(folder)) {
    const file = join(folder, entry.name)
    const path = prefix + entry.name.normalize('NFC')
    if (await isFolder(entry, file)) images.push(...(await imagesBelow(file, `${path}/`, [...parents, real])))
    else if (IMAGE_NAME.test(entry.name)) images.push({ path, file })
  }
  return images
}

async function foldersIn(folder: string): Promise<string[]> {
  const names: string[] = []
  for (const entry of await visibleEntries(folder)) {
    if (await isFolder(entry, join(folder, entry.name))) names.push(entry.name)
  }
  return names
}

async function visibleEntries(folder: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => !entry.name.startsWith('.'))
  } catch (error) {
    throw new DataError(`data folder ${folder} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}

/** Returns true for a folder or a link to one. A link that leads nowhere counts as a file, so that it is reported when it is read. */
async function isFolder(entry: Dirent, file: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  return stat(file).then((target) => target.isDirectory(), () => false)
}

async function checkFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new DataError(`data folder ${folder} cannot be read: ${messageOf(error)}.`, { cause: error })
    throw new DataError(`data folder ${folder} does not exist: check --data.`, { cause: error })
  }
  throw new DataError(`data folder ${folder} is not a folder: check --data. ${LAYOUT}`)
}

function checkPaths({ root, candidates }: Scan): void {
  for (const [i, { path, file }] of candidates.entries()) {
    const problem = pathProblem(path)
    if (problem !== undefined) throw new DataError(`${JSON.stringify(file)} cannot be part of a data set, since its path ${problem}: rename it.`)
    if (i > 0 && candidates[i - 1].path === path) {
      throw new DataError(`${root} has two images whose names differ only in how their characters are composed, ${path}: rename one.`)
    }
  }
}
