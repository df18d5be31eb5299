import { setImmediate } from 'node:timers/promises'
import type { Samples } from '../columns/samples.ts'
import { SLICE } from '../columns/slice.ts'
import type { Scan } from './scan.ts'

/** Longest list of names in a sentence. */
const NAMES = 5

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function listed(names: readonly string[]): string {
  return names.length <= NAMES ? names.join(', ') : `${names.slice(0, NAMES).join(', ')} and ${names.length - NAMES} more`
}

/** Tells which files and folders of a data set a scan has left out, in sentences for people; none if it took everything. */
export function tellPassedOver({ root, passedOver: { endings, folders, runs, loose } }: Pick<Scan, 'root' | 'passedOver'>): string[] {
  const files = [...endings.values()].reduce((sum, count) => sum + count, 0)
  const byEnding = [...endings].sort(([, a], [, b]) => b - a).map(([ending, count]) => `${count} ${ending === '' ? 'without an ending' : ending}`)
  return [
    ...(files === 0 ? [] : [`${counted(files, 'file')} in ${root} ${files === 1 ? 'is' : 'are'} left out, since ${files === 1 ? 'its name is' : 'their names are'} not of images (jpg, png, webp, gif or tiff): ${listed(byEnding)}.`]),
    ...(folders.length === 0 ? [] : [`${counted(folders.length, 'folder')} in ${root} ${folders.length === 1 ? 'has' : 'have'} no images and ${folders.length === 1 ? 'is no class' : 'are no classes'}: ${listed(folders)}.`]),
    ...(loose === 0 ? [] : [`${counted(loose, 'image')} in ${root} ${loose === 1 ? 'lies' : 'lie'} beside the class folders and ${loose === 1 ? 'is' : 'are'} left out.`]),
    ...(runs.length === 0 ? [] : [`${counted(runs.length, 'folder')} in ${root} ${runs.length === 1 ? 'is that of a run' : 'are those of runs'}, and ${runs.length === 1 ? 'is' : 'are'} passed over: ${listed(runs)}.`]),
  ]
}

/** Tells of images that are in a data set more than once in a way that spoils it: in two classes, or in training and in the test. */
export async function duplicatesOf(samples: Samples): Promise<string[]> {
  const byHash = await samples.byHash()
  const inTwoClasses = new Repeated('in two classes')
  const inBothHalves = new Repeated('in training and in the test')
  for (let id = 0; id < samples.length; id++) {
    if (id % SLICE === 0) await setImmediate()
    const first = byHash.firstLike(id)
    if (samples.classOf(first) !== samples.classOf(id)) inTwoClasses.add(first, id)
    else if (samples.split(first) !== samples.split(id)) inBothHalves.add(first, id)
  }
  return [...inTwoClasses.tell(samples), ...inBothHalves.tell(samples)]
}

/** Images that have the same bytes as another one. */
class Repeated {
  readonly #what: string
  #count = 0
  #example: [number, number] = [0, 0]

  /** @param what says where both are */
  constructor(what: string) {
    this.#what = what
  }

  add(first: number, second: number): void {
    if (this.#count++ === 0) this.#example = [first, second]
  }

  tell(samples: Samples): string[] {
    if (this.#count === 0) return []
    const [first, second] = this.#example.map((id) => samples.path(id))
    return [`${counted(this.#count, 'image')} ${this.#count === 1 ? 'is' : 'are'} ${this.#what}, with the same bytes: ${first} and ${second}${this.#count === 1 ? '' : ', for example'}.`]
  }
}
