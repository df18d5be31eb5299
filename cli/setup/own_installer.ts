import { readFile, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { nodeGypEnvironment } from './addon.ts'
import { reasonIn, runProcess } from './process.ts'
import { type Variant } from './releases.ts'

/** A function that runs the installer that a package brings along; it is a parameter so that tests can do without a network. */
export type RunOwnInstaller = (packageFolder: string, variant: Variant, environment: NodeJS.ProcessEnv) => Promise<void>

const TIMEOUT_MILLISECONDS = 5 * 60_000

/**
 * Does what `npm rebuild` would do for tfjs-node: downloads TensorFlow 2.9.1 and an addon from tfjs-node's host, or compiles the addon.
 * @throws RunError if it failed, or took more than five minutes
 */
export const runOwnInstaller: RunOwnInstaller = async (packageFolder, variant, environment) => {
  const description = join(packageFolder, 'package.json')
  const original = await readFile(description, 'utf8')
  // The installer downloads no library if there is an older one.
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
