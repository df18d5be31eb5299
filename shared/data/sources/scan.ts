import { stat } from 'node:fs/promises'
import { join, resolve, sep } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { DataError, messageOf } from '../../kit/errors.ts'
import { PathList } from '../columns/path_list.ts'
import type { Split } from '../columns/samples.ts'
import { SLICE } from '../columns/slice.ts'
import { below, foldersIn, imagesBelow, nothingPassedOver, type Found, type PassedOver } from './found_images.ts'
import { byCodeUnits, pathProblem } from '../columns/paths.ts'

/** Files that are images by their names, sorted by path in code-unit order; they have not been decoded yet, and may turn out to be unreadable. */
export interface Candidates {
  /** Paths relative to the root, with '/', Unicode-normalised (NFC): the images' identities on every machine. */
  paths: PathList
  /** Index of each image's class in the scan's classes. */
  classes: Uint32Array
  /** 1 for an image to test on, 0 for one to train on; undefined unless folders such as train/ and test/ decide it. */
  tests: Uint8Array | undefined
  /** Files of the paths that the disk spells in another Unicode form; all others are below the root as their paths say. */
  spelled: ReadonlyMap<string, string>
}

export interface Scan {
  /** Absolute path of the folder that holds the classes, or train/ and test/. */
  root: string
  /** Names of the class folders, in code-unit order. */
  classes: string[]
  candidates: Candidates
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
  const spelled = new Map<string, string>()
  const top = await imagesByFolder({ root, folder: root, prefix: '', passedOver, spelled })
  const halves = await splitFolders(root, top, spelled)
  const { classes, folders } = halves === undefined ? fromClasses(root, top) : fromHalves(root, halves)
  return { root, classes, candidates: await candidatesOf(folders, halves !== undefined, spelled), passedOver }
}

const NONE: Candidates['spelled'] = new Map()

/** Returns the path of a candidate's file on this machine. */
export function fileOf(root: string, path: string, spelled: Candidates['spelled']): string {
  return spelled.get(path) ?? below(root, sep === '/' ? path : path.replaceAll('/', sep))
}

/** Sorted paths by the class folder that they are in; folders without images are left out. */
type ImagesByFolder = Map<string, PathList>

/** One half of a data set that comes with its split. */
interface Half {
  /** Name of its folder. */
  name: string
  classes: ImagesByFolder
}

/** Images of one class folder, all below `prefix`. */
interface ClassFolder {
  prefix: string
  paths: PathList
  class: number
  split: Split
}

function fromClasses(root: string, found: ImagesByFolder): { classes: string[]; folders: ClassFolder[] } {
  const classes = checkClasses(root, found)
  const small = classes.find((name) => imagesOf(found, name).length < 2)
  if (small !== undefined) {
    throw new DataError(`class ${small} in ${root} has only 1 image, but needs at least one for training and one for testing: add images, or move the folder away.`)
  }
  return { classes, folders: classes.map((name, index) => ({ prefix: `${name}/`, paths: imagesOf(found, name), class: index, split: 'train' })) }
}

function fromHalves(root: string, { train, test }: Record<Split, Half>): { classes: string[]; folders: ClassFolder[] } {
  for (const [half, other] of [[train, test], [test, train]]) {
    const missing = [...half.classes.keys()].find((className) => !other.classes.has(className))
    if (missing !== undefined) {
      throw new DataError(`class ${missing} has no images in ${join(root, other.name)}, but ${train.name}/ and ${test.name}/ must have the same classes: add images there, or remove the class from both.`)
    }
  }
  const classes = checkClasses(join(root, train.name), train.classes)
  const of = (half: Half, split: Split): ClassFolder[] =>
    classes.map((name, index) => ({ prefix: `${half.name}/${name}/`, paths: imagesOf(half.classes, name), class: index, split }))
  return { classes, folders: [...of(train, 'train'), ...of(test, 'test')] }
}

/**
 * Puts the images of all folders in the order of their paths. Those of one folder follow each other in that order, since they begin alike: so folders
 * are sorted, and not millions of paths.
 */
async function candidatesOf(folders: ClassFolder[], ownSplit: boolean, spelled: Candidates['spelled']): Promise<Candidates> {
  const count = folders.reduce((sum, { paths }) => sum + paths.length, 0)
  const classes = new Uint32Array(count)
  const tests = ownSplit ? new Uint8Array(count) : undefined
  const all = new PathList()
  for (const folder of folders.sort((a, b) => byCodeUnits(a.prefix, b.prefix))) {
    for (const path of folder.paths) {
      if (all.length % SLICE === 0) await setImmediate()
      classes[all.length] = folder.class
      if (tests !== undefined) tests[all.length] = Number(folder.split === 'test')
      all.add(path)
    }
  }
  return { paths: all, classes, tests, spelled }
}

function imagesOf(found: ImagesByFolder, name: string): PathList {
  return found.get(name) ?? new PathList()
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
async function splitFolders(root: string, top: ImagesByFolder, spelled: Map<string, string>): Promise<Record<Split, Half> | undefined> {
  const named = HALVES.map(([, pattern]) => [...top.keys()].filter((name) => pattern.test(name)))
  if (named.some((names) => names.length === 0)) {
    refuseUnnamedHalves(root, top)
    return undefined
  }
  const inside = new Map<string, ImagesByFolder>()
  for (const name of named.flat()) inside.set(name, await imagesByFolder({ root, folder: join(root, name), prefix: `${name}/`, passedOver: nothingPassedOver(), spelled }))
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
    const inside = new Set<string>()
    for (const path of imagesOf(top, name)) {
      const parts = path.split('/')
      if (parts.length > 2) inside.add(parts[1])
    }
    return [...inside].sort(byCodeUnits).join('/')
  })
  if (others.length === 0 || !first.includes('/') || others.some((other) => other !== first)) return
  throw new DataError(`data folder ${root} has the same folders in ${folders.join('/, ')}/: if these are a split, call them train/ and test/; if they are classes, take the folders inside away.`)
}

/**
 * Finds the images of each folder in a folder.
 * @param to.prefix beginning of their paths
 * @param to.spelled gets the files whose names the disk spells otherwise
 */
async function imagesByFolder(to: { root: string; folder: string; prefix: string; passedOver: PassedOver; spelled: Map<string, string> }): Promise<ImagesByFolder> {
  const { root, folder, prefix, passedOver, spelled } = to
  const { names, looseImages } = await foldersIn(folder)
  passedOver.loose += looseImages
  // Two folders have the same name where they differ only in how its characters are composed.
  const together = new Map<string, string[]>()
  for (const name of names) together.set(name.normalize('NFC'), [...(together.get(name.normalize('NFC')) ?? []), name])
  const found: ImagesByFolder = new Map()
  for (const [normal, spellings] of together) {
    const images: Found[] = []
    for (const name of spellings) {
      const runs = passedOver.runs.length
      const inside = await imagesBelow(join(folder, name), `${prefix}${normal}/`, passedOver)
      if (inside.length === 0 && passedOver.runs.length === runs) passedOver.folders.push(`${prefix}${normal}`)
      for (const image of inside) images.push(image)
    }
    if (images.length === 0) continue
    images.sort((a, b) => byCodeUnits(a.path, b.path))
    checkPaths(root, images)
    for (const { path, file } of images) if (file !== fileOf(root, path, NONE)) spelled.set(path, file)
    found.set(normal, PathList.of(images.map(({ path }) => path)))
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

/** @param images sorted by path */
function checkPaths(root: string, images: readonly Found[]): void {
  for (const [i, { path, file }] of images.entries()) {
    const problem = pathProblem(path)
    if (problem !== undefined) throw new DataError(`${JSON.stringify(file)} cannot be part of a data set, since its path ${problem}: rename it.`)
    if (i > 0 && images[i - 1].path === path) {
      throw new DataError(`${root} has two images whose names differ only in how their characters are composed, ${path}: rename one.`)
    }
  }
}
