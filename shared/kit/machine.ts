import os from 'node:os'
import { z } from 'zod'
import { processorExtensions } from './processor.ts'
import { versionsOf } from './versions.ts'

export const machineSchema = z.object({
  processor: z.string(),
  cores: z.int(),
  memoryGib: z.number(),
  /** Extensions of the processor that affect speed here, by Linux's names: a part of `EXTENSIONS`. */
  extensions: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
})
export type Machine = z.infer<typeof machineSchema>

const EXTENSIONS = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16']

/** Describes this machine and the software versions on it. */
export function machineOf(): Machine {
  const flags = processorExtensions()
  return {
    processor: os.cpus()[0].model,
    cores: os.availableParallelism(),
    memoryGib: Math.round(os.totalmem() / 1024 ** 3),
    extensions: EXTENSIONS.filter((extension) => flags.has(extension)),
    versions: versionsOf(),
  }
}

/** True if the processor computes bfloat16 in hardware. Elsewhere it is emulated, several times slower than float32, so that nobody would choose it. */
export function computesBf16({ extensions }: Machine): boolean {
  return extensions.includes('avx512_bf16') || extensions.includes('amx_bf16')
}
