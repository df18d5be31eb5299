import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'

/**
 * Appends all of it to a file, or nothing: a disk that refuses in the middle leaves the file as it was.
 * @param durable also after a power cut
 */
export function appendWhole(file: string, content: Buffer, durable: boolean): void {
  const fd = openSync(file, 'a')
  try {
    const { size } = fstatSync(fd)
    try {
      for (let written = 0; written < content.length; ) written += writeSync(fd, content, written)
      if (durable) fsyncSync(fd)
    } catch (error) {
      ftruncateSync(fd, size)
      throw error
    }
  } finally {
    closeSync(fd)
  }
}
