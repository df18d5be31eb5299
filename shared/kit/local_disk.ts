import { statfs } from 'node:fs/promises'

/** Numbers by which Linux knows the file systems of a machine's own disks and memory: ext, XFS, Btrfs, tmpfs, overlay, F2FS, ZFS, bcachefs. */
const OWN: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1, 0xca451a4e])

/** True if a folder is known to be on a disk of this machine, which answers at once and does not hang as a network may. False where that is not known. */
export async function isLocalDisk(folder: string): Promise<boolean> {
  if (process.platform !== 'linux') return false
  return statfs(folder).then(({ type }) => OWN.has(type), () => false)
}
