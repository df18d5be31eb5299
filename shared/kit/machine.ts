import os from 'node:os'
import { z } from 'zod'
import { processorExtensions } from './processor.ts'
import { versionsOf } from './versions.ts'

export const machineSchema = z.object({
  processor: z.string(),
  cores: z.int(),
  memoryGib: z.number(),
  /** Of the processor's extensions, those that matter here. */
  extensions: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
})
export type Machine = z.infer<typeof machineSchema>

const EXTENSIONS = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16']

/** This machine, and what runs on it. */
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

/** Elsewhere bfloat16 is emulated, several times slower than float32: nothing that anybody would choose. */
export function computesBf16({ extensions }: Machine): boolean {
  return extensions.includes('avx512_bf16') || extensions.includes('amx_bf16')
}
