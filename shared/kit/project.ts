import { existsSync } from 'node:fs'
import path from 'node:path'

/** The project's folder. Programs run compiled, from dist/; their data (proto, kernels, page, scripts) stays beside the sources. */
export const ROOT = folderOfPackage(import.meta.dirname)

function folderOfPackage(folder: string): string {
  return existsSync(path.join(folder, 'package.json')) ? folder : folderOfPackage(path.dirname(folder))
}
