import { hash } from 'node:crypto'
import { DataError, UsageError } from '../kit/errors.ts'
import { MAX_CLASSES, MAX_SAMPLES, type Samples, type Split } from './columns/samples.ts'

/**
 * Decides on which side of the split an image is: it is a test image if the sha256 of its relative path, as a number in [0, 1), is below
 * the test fraction. Nothing else matters, so adding or removing an image moves no other. The price is that the fraction holds only
 * on average: among n images it deviates by sqrt(fraction (1 - fraction) / n) (one standard deviation). For 0.2, that is
 * 7 percentage points in a class of 32 images, 1.3 in one of 1,000, and 0.25 in the whole of Animals-10.
 */
export function splitOf(path: string, testFraction: number): Split {
  const uniform = hash('sha256', path, 'buffer').readUIntBE(0, 6) / 2 ** 48
  return uniform < testFraction ? 'test' : 'train'
}

/** Checks a test fraction. @throws UsageError unless 0 < testFraction < 1 */
export function checkTestFraction(testFraction: number): void {
  if (!(testFraction > 0 && testFraction < 1)) throw new UsageError(`--test-fraction is ${testFraction}, but must be between 0 and 1, both excluded: for example 0.2.`)
}

/**
 * Checks that a data set is one that workers take.
 * @throws DataError that names what there is too much of.
 */
export function checkSize(root: string, classes: number, images: number): void {
  if (classes > MAX_CLASSES) throw new DataError(`data folder ${root} has ${classes} classes, where at most ${MAX_CLASSES} may be: check --data.`)
  if (images > MAX_SAMPLES) throw new DataError(`data folder ${root} has ${images} images, where at most ${MAX_SAMPLES} may be: check --data.`)
}

/**
 * Checks that every class has an image for training and one for testing.
 * @param testFraction for the error; undefined if the data set's own train/ and test/ decide.
 * @throws DataError that names the class, its counts and what to do.
 */
export function checkEveryClass(classes: readonly string[], samples: Samples, testFraction: number | undefined): void {
  const counts = countByClass(classes, samples)
  const lacking = [...counts.keys()].filter((label) => counts[label].train === 0 || counts[label].test === 0)
  if (lacking.length === 0) return
  const { train, test } = counts[lacking[0]]
  const others = lacking.length === 1 ? '' : `, and so ${lacking.length === 2 ? 'does another class' : `do ${lacking.length - 1} other classes`}`
  const remedy = testFraction === undefined ? 'add images that can be read' : `at --test-fraction ${testFraction} (the file name decides): add images, choose another fraction, or sort the images into train/ and test/ yourself`
  throw new DataError(`class ${classes[lacking[0]]} has ${train} readable images for training and ${test} for testing, but needs at least one of each${others}; ${remedy}.`)
}

/** Counts the images of each class on both sides of the split. */
export function countByClass(classes: readonly string[], samples: Samples): Record<Split, number>[] {
  const counts = classes.map(() => ({ train: 0, test: 0 }))
  for (let id = 0; id < samples.length; id++) counts[samples.classOf(id)][samples.split(id)]++
  return counts
}
