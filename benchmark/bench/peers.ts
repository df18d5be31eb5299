import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import { z } from 'zod'
import type { Contender } from './contender.ts'
import { RoundProcess } from './round_process.ts'
import { ROOT } from '../../shared/kit/project.ts'

const FOLDER = path.join(ROOT, 'benchmark/peers')

/** Where `npm run bench:peers` installs PyTorch. */
const OWN_PYTHON = path.join(FOLDER, '.venv/bin/python')

/**
 * PyTorch at its best on a CPU: one thread a process, and an allocator that keeps the memory of a step for the next one instead of
 * giving it back to the kernel.
 */
const ENVIRONMENT = { OMP_NUM_THREADS: '1', MALLOC_TRIM_THRESHOLD_: '10000000000', MALLOC_MMAP_THRESHOLD_: '10000000000', MALLOC_TOP_PAD_: '67108864' }

const factsSchema = z.object({ torch: z.string(), gpu: z.string().optional() })
const secondsSchema = z.object({ seconds: z.number().positive() })

/** An interpreter with PyTorch, and scripts of benchmark/peers in it. */
export class Peers {
  readonly #python: string
  version = ''
  /** The GPU's name, once a script that computes on it has started. */
  gpu: string | undefined

  private constructor(python: string) {
    this.#python = python
  }

  /** @param python an interpreter with torch; without one, the project's own is taken, if it is there */
  static find(python: string | undefined): Peers | undefined {
    if (python !== undefined) return new Peers(python)
    return existsSync(OWN_PYTHON) ? new Peers(OWN_PYTHON) : undefined
  }

  /** @param valueOf of what a round told, the section's figure */
  async start<Told>(name: string, script: string, args: readonly string[], schema: z.ZodType<Told>, valueOf: (told: Told) => number): Promise<Contender> {
    const peer = new RoundProcess(this.#python, [path.join(FOLDER, script), ...args], ENVIRONMENT)
    const { torch, gpu } = factsSchema.parse(await peer.next())
    this.version = torch
    this.gpu = gpu ?? this.gpu
    return { name, round: async () => valueOf(schema.parse(await peer.round())), close: () => peer.close() }
  }

  /** Several processes that talk over gloo; what the first one measured counts. */
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
      // The others wait for the one that has failed.
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

/** What a world of processes is called. */
export function worldName(processes: number): string {
  return processes === 1 ? 'PyTorch, 1 process' : `PyTorch DDP, ${processes} processes`
}

/** A port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
