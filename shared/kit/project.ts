import { existsSync } from 'node:fs'
import path from 'node:path'

/**
 * Absolute path of the project's folder. Programs run compiled, from dist/; the files that they read (proto, kernels, page, scripts) stay beside
 * the sources.
 */
export const ROOT = folderOfPackage(import.meta.dirname)

function folderOfPackage(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : folderOfPackage(path.dirname(folder))
}
