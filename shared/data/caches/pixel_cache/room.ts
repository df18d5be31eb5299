import { readdir, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { INDEX, PIXELS } from './segment.ts'

const NAME = /^([0-9a-f]{16})-[0-9a-z]+-[0-9a-f]{8}(\.pixels|\.index)$/

/** Many processes leave many segments; beyond this, those used least recently go, whatever their size. */
const MAX_SEGMENTS = 512
/** A cache is no reason for a full disk: this share of it stays free. */
const FREE_SHARE = 0.05

/** The name of a new segment: names ascend with the time of creation, so that of two entries for an image the later one counts. */
export function segmentName(variant: string, now: number, random: Uint8Array): string {
  return `${variant}-${Math.floor(now).toString(36).padStart(9, '0')}-${Buffer.from(random).toString('hex', 0, 4)}`
}

/** Names of the segments of a variant, in the order of their creation; none where the folder cannot be read. Whatever else is in the folder is not ours. */
export async function segmentsOf(folder: string, variant: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[])
  return names.filter((name) => name.endsWith(INDEX) && NAME.exec(name)?.[1] === variant).map((name) => name.slice(0, -INDEX.length)).sort()
}

/**
 * Removes the segments that were not used for longest, until there is room for so many bytes more.
 * @param mayGo whether a segment may be removed @param usedAt milliseconds since 1970
 * @returns what there is still no room in, if anything, and the bytes of all segments
 */
export async function makeRoom(folder: string, limitBytes: number, bytes: number, mayGo: (name: string, usedAt: number) => boolean): Promise<{ full: 'limit' | 'disk' | undefined; total: number }> {
  const segments = await usage(folder)
  let total = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  let free = await freeBytes(folder)
  let left = segments.length
  for (const { name, bytes: ofSegment, usedAt } of segments.sort((a, b) => a.usedAt - b.usedAt)) {
    if (total + bytes <= limitBytes && bytes <= free && left <= MAX_SEGMENTS) break
    if (!mayGo(name, usedAt)) continue
    await rm(path.join(folder, name + INDEX), { force: true }).catch(() => undefined)
    await rm(path.join(folder, name + PIXELS), { force: true }).catch(() => undefined)
    total -= ofSegment
    free += ofSegment
    left--
  }
  return { full: total + bytes > limitBytes ? 'limit' : bytes > free ? 'disk' : undefined, total }
}

async function usage(folder: string): Promise<{ name: string; bytes: number; usedAt: number }[]> {
  const segments = new Map<string, { name: string; bytes: number; usedAt: number }>()
  for (const file of await readdir(folder).catch(() => [] as string[])) {
    if (!NAME.test(file)) continue
    const name = file.slice(0, file.lastIndexOf('.'))
    const facts = await stat(path.join(folder, file)).catch(() => undefined)
    const segment = segments.get(name) ?? { name, bytes: 0, usedAt: 0 }
    segments.set(name, { name, bytes: segment.bytes + (facts?.size ?? 0), usedAt: Math.max(segment.usedAt, facts?.mtimeMs ?? 0) })
  }
  return [...segments.values()]
}

/** What may still be written; as much as one likes where the system does not tell. */
async function freeBytes(folder: string): Promise<number> {
  const disk = await statfs(folder).catch(() => undefined)
  return disk === undefined ? Number.POSITIVE_INFINITY : Math.max(0, (disk.bavail - disk.blocks * FREE_SHARE) * disk.bsize)
}
