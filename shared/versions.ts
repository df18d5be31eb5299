import { readFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { ROOT } from './kit/project.ts'

const PACKAGE_FILE = path.join(ROOT, 'package.json')
const packageSchema = z.object({ version: z.string() })

/** Versions that a run depends on. */
export function versionsOf(): { herd: string; node: string; platform: string } {
  const { version } = packageSchema.parse(JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')))
  return { herd: version, node: process.version, platform: `${process.platform}-${process.arch}` }
}
