import { z } from 'zod'
import { compressions } from '../../shared/compress/format.ts'
import { networkSchema } from '../../shared/model/network.ts'
import { processorTimeSchema } from './processor_time.ts'

/** What benchmark/bench/coordinator_main.ts is started with, as JSON. */
export const clusterOptionsSchema = z.object({
  network: networkSchema,
  /** Address to listen on; the port is a free one. */
  host: z.string().default('127.0.0.1'),
  /** A folder of images; without it there are none, and workers are to be such that need none. */
  data: z.string().optional(),
  engine: z.enum(['native', 'wasm']),
  precision: z.enum(['f32', 'bf16']),
  batch: z.int(),
  lanes: z.int(),
  workers: z.int(),
  /** 1: the coordinator reduces itself. */
  reducers: z.int().min(1).default(1),
  /** How gradients and weights travel. */
  compress: z.enum(compressions).default('none'),
  /** Whether gradients and weights go through memory. */
  sharedMemory: z.enum(['auto', 'off']).default('auto'),
  /** A folder of certificates for mutual TLS, where there is any; of still workers. */
  certificates: z.string().optional(),
  /** Of one round. */
  steps: z.int(),
})
export type ClusterOptions = z.input<typeof clusterOptionsSchema>

/** What it tells first. */
export const listeningSchema = z.object({ address: z.string() })

/** Then, when all workers are in, and after each round: of one step; the processor time is the coordinator's. */
export const stepSchema = processorTimeSchema.extend({
  seconds: z.number(),
})
export type Step = z.infer<typeof stepSchema>
