import { existsSync } from 'node:fs'
import path from 'node:path'

/**
 * Absolute path of the project's folder. Programs run compiled, from dist/programs/; the files that they read (proto, kernels, page, scripts) stay beside
 * the sources.
 */
export const ROOT = folderOfPackage(import.meta.dirname)

/** Path of a program's compiled module, by its name in bin/compile.mjs. */
export function programFile(name: 'compute' | 'precision' | 'layers' | 'drawing'): string {
  return path.join(ROOT, 'dist', 'programs', `${name}.js`)
}

function folderOfPackage(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : folderOfPackage(path.dirname(folder))
}
