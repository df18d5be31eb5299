import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { DECODER_VERSION } from '../transforms/decode.ts'
import type { FoundFacts } from './file_facts.ts'

const fileFacts = z.object({ bytes: z.int().min(0), modified: z.number(), sha256: z.string().regex(/^[0-9a-f]{64}$/), problem: z.string().nullable().optional() })
const cacheSchema = z.object({ format: z.literal(`files 2, ${DECODER_VERSION}`), root: z.string(), files: z.record(z.string(), fileFacts) })

/** Reads a file cache as Herd 0.1 wrote it, so that nobody has to check a data set again for an update. @returns facts by path; none if it is missing or damaged */
export async function readOldCache(file: string, root: string): Promise<Map<string, FoundFacts>> {
  const text = await readFile(file, 'utf8').catch(() => '')
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return new Map()
  }
  const cache = cacheSchema.safeParse(parsed)
  if (!cache.success || cache.data.root !== root) return new Map()
  return new Map(Object.entries(cache.data.files).map(([path, { sha256, problem, ...facts }]) => [path, { ...facts, problem, sha256: Buffer.from(sha256, 'hex') }]))
}
