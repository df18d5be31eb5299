import type { Scan, Split } from './scan.ts'

/** An image as far as it is compared with others. */
interface Sample {
  path: string
  class: number
  sha256: string
  split: Split
}

/** Longest list of names in a sentence. */
const NAMES = 5

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function listed(names: readonly string[]): string {
  return names.length <= NAMES ? names.join(', ') : `${names.slice(0, NAMES).join(', ')} and ${names.length - NAMES} more`
}

/** Tells which files and folders of a data set a scan has left out, in sentences for people; none if it took everything. */
export function tellPassedOver({ root, passedOver: { endings, folders, runs, loose } }: Scan): string[] {
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
export function duplicatesOf(samples: readonly Sample[]): string[] {
  const first = new Map<string, Sample>()
  const inTwoClasses: [Sample, Sample][] = []
  const inBothHalves: [Sample, Sample][] = []
  for (const sample of samples) {
    const other = first.get(sample.sha256)
    if (other === undefined) first.set(sample.sha256, sample)
    else if (other.class !== sample.class) inTwoClasses.push([other, sample])
    else if (other.split !== sample.split) inBothHalves.push([other, sample])
  }
  const tell = (pairs: readonly [Sample, Sample][], what: string): string[] => (pairs.length === 0 ? [] : [`${counted(pairs.length, 'image')} ${pairs.length === 1 ? 'is' : 'are'} ${what}, with the same bytes: ${pairs[0][0].path} and ${pairs[0][1].path}${pairs.length === 1 ? '' : ', for example'}.`])
  return [...tell(inTwoClasses, 'in two classes'), ...tell(inBothHalves, 'in training and in the test')]
}
