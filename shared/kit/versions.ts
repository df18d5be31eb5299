import { readFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT } from './project.ts'

const PACKAGE_FILE = path.join(ROOT, 'package.json')

/** Returns the versions that a run depends on; `platform` is e.g. "linux-x64". */
export function versionsOf(): { herd: string; node: string; platform: string } {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string }
  return { herd: version, node: process.version, platform: `${process.platform}-${process.arch}` }
}
