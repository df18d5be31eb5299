import { networkInterfaces } from 'node:os'
import { isLoopback } from '../../shared/security/loopback.ts'
import { WeightsBoard } from '../../shared/wire/board.ts'
import { MemoryFile } from '../../shared/kit/memory_file.ts'
import type { SharedMemory } from '../../shared/wire/messages.ts'
import { hostOf } from '../port/connections.ts'

/** Memory that the coordinator shares with workers on its own machine: one board of weights, and for each worker a file for its gradients. */
export class MachineMemory {
  readonly board: WeightsBoard
  readonly #boardFile: MemoryFile

  private constructor(boardFile: MemoryFile, floats: number) {
    this.#boardFile = boardFile
    this.board = new WeightsBoard(boardFile, floats)
  }

  /** Creates the board. @param floats length of the parameter vector @returns undefined if processes cannot share memory on this machine */
  static create(floats: number): MachineMemory | undefined {
    const file = MemoryFile.create()
    return file === undefined ? undefined : new MachineMemory(file, floats)
  }

  /** Creates a worker's gradient file. @param peer HOST:PORT of the worker @returns undefined if it is on another machine, or there is no memory */
  offer(peer: string): { gradients: MemoryFile; places: SharedMemory } | undefined {
    if (!isOfThisMachine(hostOf(peer))) return undefined
    const gradients = MemoryFile.create()
    return gradients === undefined ? undefined : { gradients, places: { weights: this.#boardFile.place, gradients: gradients.place } }
  }

  close(): void {
    this.#boardFile.close()
  }
}

/** Returns true if a host is this machine. A container with a network of its own counts as another machine. */
function isOfThisMachine(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  return isLoopback(bare) || Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === bare))
}
