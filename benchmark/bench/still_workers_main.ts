import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import sharp from 'sharp'
import { z } from 'zod'
import { DecodedCache } from '../../shared/data/caches/decoded_cache.ts'
import { layoutOf } from '../../shared/model/layout.ts'
import { machineSeconds } from '../../shared/trace/span.ts'
import { certificatesOf } from './certificates.ts'
import { processorTime } from './processor_time.ts'
import { StillCompute } from './still_compute.ts'
import { Connection } from '../../worker/connection.ts'
import { readManifest } from '../../worker/manifest.ts'
import { Membership } from '../../worker/membership.ts'

/**
 * Workers that compute nothing, with the real session, real sockets and real payloads, several in one process. For each line on its
 * standard input the process prints the processor time that it has used; it ends when its input ends.
 */
const { coordinator, count, certificates } = z.object({ coordinator: z.string(), count: z.int().min(1), certificates: z.string().optional() }).parse(JSON.parse(process.argv[2]))
const CACHE_BYTES = 64 * 1024 * 1024

const tls = await certificatesOf(certificates, 'worker')
const image = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'white' } }).png().toBuffer()
const nothing = (): void => undefined

process.stdout.write('{}\n')
createInterface(process.stdin).on('line', () => process.stdout.write(`${JSON.stringify(processorTime())}\n`)).on('close', () => process.exit(0))
await Promise.all(Array.from({ length: count }, (_, index) => new Membership({
  name: `still-${process.pid}-${index}`, instance: randomUUID(), engine: 'auto', metricsAddress: '',
  connect: (onMessage) => new Connection(coordinator, { token: undefined, tls }, onMessage),
  startCompute: ({ network, compress }) => Promise.resolve(new StillCompute(layoutOf(network).size, compress)),
  inputFacts: () => Promise.resolve({ fingerprint: '', versions: '' }),
  fetchData: async (link, run) => {
    const { samples } = await readManifest(link.fetchManifest(false), run)
    return () => Promise.resolve({ digest: '', images: { samples, source: { read: (ids) => Promise.resolve(ids.map(() => image)) }, decoded: new DecodedCache(CACHE_BYTES) } })
  },
  residentBytes: () => Promise.resolve(process.memoryUsage.rss() / count),
  every: (milliseconds, action) => {
    const timer = setInterval(action, milliseconds)
    return () => clearInterval(timer)
  },
  now: machineSeconds,
  observer: { onJoined: nothing, onLeft: nothing, onTraffic: nothing, onMemory: nothing, onSpan: nothing, onLane: nothing, onQueue: nothing, onImage: nothing },
}).run()))
