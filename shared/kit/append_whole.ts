import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs'

/**
 * Appends all of the content to a file, or nothing: if the disk refuses in the middle, the file is cut back to its former length.
 * @param durable true: the content survives a power cut (fsync)
 * @throws the error of the file system
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
