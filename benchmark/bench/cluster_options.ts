import { z } from 'zod'
import { compressions } from '../../shared/compress/format.ts'
import { networkSchema } from '../../shared/model/network.ts'
import { processorTimeSchema } from './processor_time.ts'

/** Options of benchmark/bench/coordinator_main.ts, its argument as JSON. */
export const clusterOptionsSchema = z.object({
  network: networkSchema,
  /** Address to listen on; the port is a free one. */
  host: z.string().default('127.0.0.1'),
  /** A folder of images; without it there are no images, and the workers must be ones that need none. */
  data: z.string().optional(),
  engine: z.enum(['native', 'wasm']),
  precision: z.enum(['f32', 'bf16']),
  batch: z.int(),
  lanes: z.int(),
  workers: z.int(),
  /** Number of reducers; with 1 the coordinator reduces itself. */
  reducers: z.int().min(1).default(1),
  /** Format of gradients and weights on the wire. */
  compress: z.enum(compressions).default('none'),
  /** 'auto' if gradients and weights may go through shared memory, 'off' if they go through sockets. */
  sharedMemory: z.enum(['auto', 'off']).default('auto'),
  /** A folder of certificates for mutual TLS, with still workers only; absent for no TLS. */
  certificates: z.string().optional(),
  /** Steps of one round. */
  steps: z.int(),
})
export type ClusterOptions = z.input<typeof clusterOptionsSchema>

/** The first line that it prints. */
export const listeningSchema = z.object({ address: z.string() })

/** The line that it prints when all workers have joined and are warm, and after each round: times of one step; processor time is the coordinator's. */
export const stepSchema = processorTimeSchema.extend({
  seconds: z.number(),
})
export type Step = z.infer<typeof stepSchema>
