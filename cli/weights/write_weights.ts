import { access } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { encodeSafetensors } from '../../shared/checkpoint/safetensors.ts'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { HerdError, messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { makeFolders } from '../../shared/kit/folders.ts'
import { counted } from '../output.ts'
import type { TorchWeights } from './torch_file.ts'

/**
 * Writes weights as safetensors, with the names that they have.
 * @param origin where they come from, for the file's metadata
 * @throws RunError if the file cannot be written
 */
export async function writeWeights(out: string, { tensors }: TorchWeights, origin: Readonly<Record<string, string>>): Promise<void> {
  try {
    await makeFolders(dirname(resolve(out)))
    await writeAtomically(out, encodeSafetensors(tensors, { format: 'pt', ...origin }))
  } catch (error) {
    if (error instanceof HerdError) throw error
    throw new RunError(`${out} cannot be written: ${messageOf(error)}.`, { cause: error })
  }
}

/** @throws UsageError if a file is there already */
export async function requireNothingAt(out: string): Promise<void> {
  const isThere = await access(out).then(() => true, () => false)
  if (isThere) throw new UsageError(`${out} exists already: remove it, or give another --out.`)
}

/** Says in a sentence what was written, and what was left out. */
export function summaryOf({ tensors, passedOver, part }: TorchWeights): string {
  const values = tensors.reduce((sum, { values }) => sum + values.length, 0)
  const of = part === undefined ? '' : ` of its part ${JSON.stringify(part)}`
  const without = passedOver.length === 0 ? '' : `; without ${counted(passedOver.length, 'tensor')} of whole numbers, such as ${passedOver[0]}`
  return `${counted(tensors.length, 'tensor')}${of}, ${values.toLocaleString('en')} values${without}`
}
