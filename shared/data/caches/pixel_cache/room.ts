import { readdir, rm, stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { INDEX, PIXELS } from './segment.ts'

const NAME = /^([0-9a-f]{16})-[0-9a-z]+-[0-9a-f]{8}(\.pixels|\.index)$/

/** Limit of the number of segments, since many processes leave many. Beyond it, the least recently used are removed, whatever their size. */
const MAX_SEGMENTS = 512
/** Share of the disk that stays free: a cache is no reason for a full disk. */
const FREE_SHARE = 0.05

/**
 * Returns the name of a new segment. Names ascend with the time of creation, so that the later of two entries for an image counts.
 * @param now milliseconds since 1970
 * @param random 4 bytes
 */
export function segmentName(variant: string, now: number, random: Uint8Array): string {
  return `${variant}-${Math.floor(now).toString(36).padStart(9, '0')}-${Buffer.from(random).toString('hex', 0, 4)}`
}

/** Returns the names of a variant's segments, in the order of their creation; none if the folder cannot be read. Other files of the folder are ignored. */
export async function segmentsOf(folder: string, variant: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[])
  return names.filter((name) => name.endsWith(INDEX) && NAME.exec(name)?.[1] === variant).map((name) => name.slice(0, -INDEX.length)).sort()
}

/**
 * Removes the least recently used segments until there is room for `bytes` more.
 * @param mayGo returns true for a segment that may be removed; `usedAt` is in milliseconds since 1970
 * @returns `full`: the limit or the disk, if there is still no room; `total`: the bytes of the remaining segments
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

/** Returns how many bytes may still be written to the disk; infinity if the system does not tell. */
async function freeBytes(folder: string): Promise<number> {
  const disk = await statfs(folder).catch(() => undefined)
  return disk === undefined ? Number.POSITIVE_INFINITY : Math.max(0, (disk.bavail - disk.blocks * FREE_SHARE) * disk.bsize)
}
