import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DataError, messageOf } from '../../kit/errors.ts'
import { foldersIn, imagesBelow, nothingPassedOver, type Found, type PassedOver } from './found_images.ts'
import { byCodeUnits, pathProblem } from './paths.ts'

/** A file that is an image by its name; it has not been decoded yet, and may turn out to be unreadable. */
export interface Candidate extends Found {
  /** Path relative to the root, with '/', Unicode-normalised (NFC): the image's identity on every machine. */
  path: string
  /** Index of the image's class in the scan's classes. */
  class: number
  /** Side of the split, if folders such as train/ and test/ decide it. */
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
  passedOver: PassedOver
}

const LAYOUT = 'It must hold one folder of images for each class, at least two, or train/ and test/ with the same classes inside.'
/** Names of the two halves of a data set that comes with its split, as people call them. */
const HALVES: readonly [split: Split, name: RegExp][] = [['train', /^(seg_)?train(ing)?$/i], ['test', /^((seg_)?test(ing)?|val|valid|validation|eval|evaluation|dev)$/i]]

/**
 * Finds the images of a data set with one folder for each class: root/class/image, or root/train/class/image and root/test/class/image, where
 * the halves may be called as others call them (training, val, validation, testing ...). A root whose only folder is raw-img (Animals-10 as it is
 * unpacked) is replaced by that folder. Folders inside a class belong to the class; hidden files and folders, folders of runs, and folders
 * without images are passed over; links are followed.
 * @throws DataError if the folder is missing or unreadable, its classes are too few, too small or not the same in both halves, or a
 *   path cannot be used.
 */
export async function scanFolder(folder: string): Promise<Scan> {
  const given = resolve(folder)
  await checkFolder(given)
  const { names } = await foldersIn(given)
  const root = names.length === 1 && names[0] === 'raw-img' ? join(given, 'raw-img') : given

  const passedOver = nothingPassedOver()
  const top = await imagesByFolder(root, '', passedOver)
  const halves = await splitFolders(root, top)
  const found = halves === undefined ? fromClasses(root, top) : fromHalves(root, halves)
  found.candidates.sort((a, b) => byCodeUnits(a.path, b.path))
  checkPaths(root, found.candidates)
  return { root, ...found, passedOver }
}

/** Images by the class folder that they are in; folders without images are left out. */
type ImagesByFolder = Map<string, Found[]>

/** One half of a data set that comes with its split. */
interface Half {
  /** Name of its folder. */
  name: string
  classes: ImagesByFolder
}

function fromClasses(root: string, found: ImagesByFolder): Pick<Scan, 'classes' | 'candidates'> {
  const classes = checkClasses(root, found)
  const small = classes.find((name) => imagesOf(found, name).length < 2)
  if (small !== undefined) {
    throw new DataError(`class ${small} in ${root} has only 1 image, but needs at least one for training and one for testing: add images, or move the folder away.`)
  }
  return { classes, candidates: classes.flatMap((name, index) => imagesOf(found, name).map((image) => ({ ...image, class: index }))) }
}

function fromHalves(root: string, { train, test }: Record<Split, Half>): Pick<Scan, 'classes' | 'candidates'> {
  for (const [half, other] of [[train, test], [test, train]]) {
    const missing = [...half.classes.keys()].find((className) => !other.classes.has(className))
    if (missing !== undefined) {
      throw new DataError(`class ${missing} has no images in ${join(root, other.name)}, but ${train.name}/ and ${test.name}/ must have the same classes: add images there, or remove the class from both.`)
    }
  }
  const classes = checkClasses(join(root, train.name), train.classes)
  const of = (half: Half, split: Split): Candidate[] =>
    classes.flatMap((name, index) => imagesOf(half.classes, name).map((image) => ({ ...image, class: index, split })))
  return { classes, candidates: [...of(train, 'train'), ...of(test, 'test')] }
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
 * Finds the halves of a data set that comes with its split, and the class folders inside them.
 * @returns undefined if it does not
 * @throws DataError if only one half has class folders, there are further folders with images, or folders hold the same classes and are no halves
 */
async function splitFolders(root: string, top: ImagesByFolder): Promise<Record<Split, Half> | undefined> {
  const named = HALVES.map(([, pattern]) => [...top.keys()].filter((name) => pattern.test(name)))
  if (named.some((names) => names.length === 0)) {
    refuseUnnamedHalves(root, top)
    return undefined
  }
  const inside = new Map<string, ImagesByFolder>()
  for (const name of named.flat()) inside.set(name, await imagesByFolder(join(root, name), `${name}/`, nothingPassedOver()))
  if ([...inside.values()].every(({ size }) => size === 0)) return undefined
  const [[train], [test]] = named
  const others = [...top.keys()].filter((name) => name !== train && name !== test)
  if (others.length > 0) {
    throw new DataError(`data folder ${root} has ${train}/ and ${test}/, but also ${others.sort(byCodeUnits).join('/, ')}/, whose images would be left out: move it away, or its images into one of the two.`)
  }
  for (const [without, other] of [[train, test], [test, train]]) {
    if (inside.get(without)?.size === 0) {
      throw new DataError(`data folder ${root} has class folders in ${other}/ but only loose images in ${without}/: sort those into class folders as well, or give --data ${join(root, other)}.`)
    }
  }
  return { train: { name: train, classes: inside.get(train) ?? new Map() }, test: { name: test, classes: inside.get(test) ?? new Map() } }
}

/** Refuses folders that all hold the same folders: they are parts of a split under other names, and their own names are no classes. */
function refuseUnnamedHalves(root: string, top: ImagesByFolder): void {
  const folders = [...top.keys()].sort(byCodeUnits)
  const [first, ...others] = folders.map((name) => {
    const inside = imagesOf(top, name).map(({ path }) => path.split('/')).filter((parts) => parts.length > 2)
    return [...new Set(inside.map(([, folder]) => folder))].sort(byCodeUnits).join('/')
  })
  if (others.length === 0 || !first.includes('/') || others.some((other) => other !== first)) return
  throw new DataError(`data folder ${root} has the same folders in ${folders.join('/, ')}/: if these are a split, call them train/ and test/; if they are classes, take the folders inside away.`)
}

async function imagesByFolder(folder: string, prefix: string, passedOver: PassedOver): Promise<ImagesByFolder> {
  const found: ImagesByFolder = new Map()
  const { names, looseImages } = await foldersIn(folder)
  passedOver.loose += looseImages
  for (const name of names) {
    const normal = name.normalize('NFC')
    const runs = passedOver.runs.length
    const images = await imagesBelow(join(folder, name), `${prefix}${normal}/`, passedOver)
    if (images.length === 0) {
      if (passedOver.runs.length === runs) passedOver.folders.push(`${prefix}${normal}`)
      continue
    }
    const before = imagesOf(found, normal)
    found.set(normal, before.length === 0 ? images : before.concat(images))
  }
  return found
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

function checkPaths(root: string, candidates: readonly Candidate[]): void {
  for (const [i, { path, file }] of candidates.entries()) {
    const problem = pathProblem(path)
    if (problem !== undefined) throw new DataError(`${JSON.stringify(file)} cannot be part of a data set, since its path ${problem}: rename it.`)
    if (i > 0 && candidates[i - 1].path === path) {
      throw new DataError(`${root} has two images whose names differ only in how their characters are composed, ${path}: rename one.`)
    }
  }
}
