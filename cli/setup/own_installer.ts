import { readFile, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { nodeGypEnvironment } from './addon.ts'
import { reasonIn, runProcess } from './process.ts'
import { type Variant } from './releases.ts'

/** Runs the installer that a package brings along; from outside, so that a test need not have a network. */
export type RunOwnInstaller = (packageFolder: string, variant: Variant, environment: NodeJS.ProcessEnv) => Promise<void>

const TIMEOUT_MILLISECONDS = 5 * 60_000

/**
 * What `npm rebuild` would do for tfjs-node: it downloads TensorFlow 2.9.1 and an addon from its own host, or compiles the addon.
 * @throws RunError it failed, or took more than five minutes
 */
export const runOwnInstaller: RunOwnInstaller = async (packageFolder, variant, environment) => {
  const description = join(packageFolder, 'package.json')
  const original = await readFile(description, 'utf8')
  // With an older library there the installer would download none.
  await rm(join(packageFolder, 'deps'), { recursive: true, force: true })
  const programs = join(packageFolder, '..', '..', '.bin')
  const result = await runProcess(process.execPath, [join('scripts', 'install.js'), variant, 'download'], {
    environment: {
      ...environment,
      ...(await nodeGypEnvironment(environment)),
      PATH: `${programs}${delimiter}${environment['PATH'] ?? ''}`,
    },
    folder: packageFolder,
    timeoutMilliseconds: TIMEOUT_MILLISECONDS,
  })
  // The installer edits package.json while it works and does not always put it back.
  if ((await readFile(description, 'utf8')) !== original) await writeAtomically(description, [original])
  if (result.exitCode !== 0) throw new RunError(reasonIn(result.tail))
}
