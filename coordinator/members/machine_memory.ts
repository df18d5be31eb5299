import { networkInterfaces } from 'node:os'
import { isLoopback } from '../../shared/security/loopback.ts'
import { WeightsBoard } from '../../shared/wire/board.ts'
import { MemoryFile } from '../../shared/kit/memory_file.ts'
import type { SharedMemory } from '../../shared/wire/messages.ts'
import { hostOf } from '../port/connections.ts'

/** What the coordinator shares with workers on its own machine: a board of weights, and for each of them a file for its gradients. */
export class MachineMemory {
  readonly board: WeightsBoard
  readonly #boardFile: MemoryFile

  private constructor(boardFile: MemoryFile, floats: number) {
    this.#boardFile = boardFile
    this.board = new WeightsBoard(boardFile, floats)
  }

  /** @param floats of the vector @returns undefined where processes cannot share memory */
  static create(floats: number): MachineMemory | undefined {
    const file = MemoryFile.create()
    return file === undefined ? undefined : new MachineMemory(file, floats)
  }

  /** @param peer HOST:PORT of a worker @returns undefined for one on another machine */
  offer(peer: string): { gradients: MemoryFile; places: SharedMemory } | undefined {
    if (!isOfThisMachine(hostOf(peer))) return undefined
    const gradients = MemoryFile.create()
    return gradients === undefined ? undefined : { gradients, places: { weights: this.#boardFile.place, gradients: gradients.place } }
  }

  close(): void {
    this.#boardFile.close()
  }
}

/** Whether who comes from there may be on this machine: containers with a network of their own are not, for this purpose. */
function isOfThisMachine(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  return isLoopback(bare) || Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === bare))
}
