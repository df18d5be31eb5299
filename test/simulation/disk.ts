import type { CheckpointerParts } from '../../coordinator/record/checkpointer.ts'
import type { Checkpoint } from '../../shared/checkpoint/checkpoint.ts'
import { WriteError } from '../../shared/kit/errors.ts'
import type { KeyedRandom } from '../../shared/random/philox.ts'
import { bytesOf } from '../../shared/kit/floats.ts'
import type { SimulatedProcess } from './process.ts'

/** The disk of the coordinator's machine, which outlives its processes: the latest checkpoint, replaced whole or not at all. */
export class SimulatedDisk {
  readonly #random: KeyedRandom
  #latest: Checkpoint | undefined
  /** True while nothing can be written. */
  full = false

  constructor(random: KeyedRandom) {
    this.#random = random
  }

  /** Reads the latest checkpoint, as a copy that shares no memory with the disk. @returns undefined if there is none */
  read(): Checkpoint | undefined {
    return this.#latest === undefined ? undefined : copyOf(this.#latest)
  }

  /** The folder of checkpoints for a process: writing takes a while, and a process that dies meanwhile leaves the earlier checkpoint. */
  folderOf(process: SimulatedProcess): CheckpointerParts['folder'] {
    return {
      latest: 'latest.ckpt',
      ofEpoch: (epoch) => `epoch-${epoch}.ckpt`,
      ofStep: (step) => `step-${step}.ckpt`,
      save: async (checkpoint) => {
        await process.sleep(this.#random.between(1, 300))
        if (this.full) throw new WriteError('no space is left on the device.')
        this.#latest = copyOf(checkpoint)
        return (1 + checkpoint.moments.length) * checkpoint.parameters.byteLength
      },
    }
  }
}

function copyOf(checkpoint: Checkpoint): Checkpoint {
  const copy = (values: Float32Array): Float32Array => new Float32Array(new Uint8Array(bytesOf(values)).buffer)
  return { ...checkpoint, parameters: copy(checkpoint.parameters), moments: checkpoint.moments.map(copy) }
}
