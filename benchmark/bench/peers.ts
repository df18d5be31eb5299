import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import type { Contender } from './contender.ts'
import { RoundProcess } from './round_process.ts'
import { ROOT } from '../../shared/kit/project.ts'

const FOLDER = path.join(ROOT, 'benchmark/peers')

/** Interpreter of the virtual environment into which `npm run bench:peers` installs PyTorch. */
const OWN_PYTHON = path.join(FOLDER, '.venv/bin/python')

/**
 * Environment in which PyTorch is fastest on a CPU: one thread a process, and an allocator that keeps the memory of a step for the next
 * one instead of giving it back to the kernel.
 */
const ENVIRONMENT = { OMP_NUM_THREADS: '1', MALLOC_TRIM_THRESHOLD_: '10000000000', MALLOC_MMAP_THRESHOLD_: '10000000000', MALLOC_TOP_PAD_: '67108864' }

const factsSchema = z.object({ torch: z.string(), gpu: z.string().optional() })
const secondsSchema = z.object({ seconds: z.number().positive() })

/** A Python interpreter with PyTorch, which runs the scripts of benchmark/peers. */
export class Peers {
  readonly #python: string
  version = ''
  /** The GPU's name; undefined until a script that computes on it has started. */
  gpu: string | undefined

  private constructor(python: string) {
    this.#python = python
  }

  /**
   * Finds an interpreter with PyTorch.
   * @param python path of an interpreter with torch; undefined for the project's own
   * @returns undefined if neither is there
   */
  static find(python: string | undefined): Peers | undefined {
    if (python !== undefined) return new Peers(python)
    return existsSync(OWN_PYTHON) ? new Peers(OWN_PYTHON) : undefined
  }

  /** Starts a script in one process. @param valueOf gives the section's figure for the result of a round */
  async start<Told>(name: string, script: string, args: readonly string[], schema: z.ZodType<Told>, valueOf: (told: Told) => number): Promise<Contender> {
    const peer = new RoundProcess(this.#python, [path.join(FOLDER, script), ...args], ENVIRONMENT)
    const { torch, gpu } = factsSchema.parse(await peer.next())
    this.version = torch
    this.gpu = gpu ?? this.gpu
    return { name, round: async () => valueOf(schema.parse(await peer.round())), close: () => peer.close() }
  }

  /** Starts a script in several processes that communicate over gloo; the time that the first one measures counts. */
  async startWorld(name: string, script: string, args: readonly string[], world: number, valueOf: (seconds: number) => number): Promise<Contender> {
    const port = await freePort()
    const peers = Array.from({ length: world }, (_, rank) => new RoundProcess(this.#python, [path.join(FOLDER, script), ...args], {
      ...ENVIRONMENT, RANK: String(rank), WORLD_SIZE: String(world), MASTER_ADDR: '127.0.0.1', MASTER_PORT: String(port), GLOO_SOCKET_IFNAME: 'lo',
    }))
    const close = async (): Promise<void> => void (await Promise.all(peers.map((peer) => peer.close())))
    try {
      const [facts] = await Promise.all(peers.map((peer) => peer.next()))
      this.version = factsSchema.parse(facts).torch
    } catch (error) {
      // The others would wait for the one that has failed.
      await close()
      throw error
    }
    return {
      name, close,
      round: async () => {
        const told = await Promise.all(peers.map((peer) => peer.round()))
        return valueOf(secondsSchema.parse(told[0]).seconds)
      },
    }
  }
}

export const peerSeconds = secondsSchema

/** Name of a contender of PyTorch with so many processes. */
export function worldName(processes: number): string {
  return processes === 1 ? 'PyTorch, 1 process' : `PyTorch DDP, ${processes} processes`
}

/** A port of this machine on which no program listens at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
