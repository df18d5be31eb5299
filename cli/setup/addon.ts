import { existsSync } from 'node:fs'
import { copyFile, cp, readFile, realpath, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { makeFolders } from '../../shared/kit/folders.ts'
import { RunError } from '../../shared/kit/errors.ts'
import { buildEntry, cachedEntry, fileSize, inStaging, type NativeCache } from './cache.ts'
import { findProgram, reasonIn, runProcess } from './process.ts'
import { type NativeRelease } from './releases.ts'
import { type Reporter } from './reporter.ts'

/** Path below tfjs-node's own folder where it looks for its addon, which is built for the newest Node-API that it knows. */
export const ADDON_PATH = join('lib', 'napi-v8', 'tfjs_binding.node')
export const ADDON_FILE = 'tfjs_binding.node'
const COMPILE_TIMEOUT_MILLISECONDS = 10 * 60_000

/** TensorFlow's libraries under the names that tfjs-node's addon is linked with and looks for. */
export const LIBRARY_LINKS: Record<string, string> = {
  'libtensorflow.so': 'libtensorflow_cc.so.2',
  'libtensorflow.so.2': 'libtensorflow_cc.so.2',
  'libtensorflow.so.2.9.1': 'libtensorflow_cc.so.2',
  'libtensorflow_cc.so.2': 'libtensorflow_cc.so.2',
  'libtensorflow_framework.so': 'libtensorflow_framework.so.2',
  'libtensorflow_framework.so.2': 'libtensorflow_framework.so.2',
}

/** A function that compiles the addon; it is a parameter so that tests can do without TensorFlow. */
export type Compile = (
  packageFolder: string,
  tensorflowFolder: string,
  target: string,
  work: string,
  environment: NodeJS.ProcessEnv,
) => Promise<void>

/** Name of the addon's entry in the cache: everything that its machine code depends on. */
export function addonEntry(release: NativeRelease, packageVersion: string): string {
  const name = release.npmPackage.replace('@tensorflow/', '')
  const node = `${process.platform}-${process.arch}-abi${process.versions.modules}`
  return `addon-${name}-${packageVersion}-tensorflow-${release.tensorflow}-${node}`
}

/**
 * Compiles the addon into the cache, unless it is there already.
 * @param tensorflowFolder the unpacked wheel: tensorflow/libtensorflow_cc.so.2, tensorflow/include, ...
 * @returns the folder in the cache with the compiled addon
 * @throws RunError if it cannot be compiled, with the compiler's message
 */
export async function ensureAddon(
  cache: NativeCache,
  release: NativeRelease,
  packageFolder: string,
  tensorflowFolder: string,
  environment: NodeJS.ProcessEnv,
  reporter: Reporter,
  compile: Compile,
): Promise<string> {
  const name = addonEntry(release, await packageVersionOf(packageFolder))
  const cached = await cachedEntry(cache, name)
  if (cached !== undefined) return cached
  reporter.note(`Compiling the addon of ${release.npmPackage} (about 10 s)`)
  return buildEntry(cache, name, (folder) =>
    inStaging(cache, (work) => compile(packageFolder, tensorflowFolder, join(folder, ADDON_FILE), work, environment)),
  )
}

/**
 * Programs that compiling needs and that are not on PATH, e.g. ["g++", "make"].
 */
export function missingTools(environment: NodeJS.ProcessEnv): string[] {
  const compiler = environment['CXX'] ?? 'g++'
  return ['python3', 'make', compiler].filter((tool) => findProgram(tool, environment) === undefined && !existsSync(tool))
}

/**
 * Compiles the addon as the package's own installer does, but in a copy of its sources, so that node_modules never
 * holds half of a build. node-gyp comes with npm; Node's headers are taken from beside Node if they are installed
 * with it (otherwise node-gyp would try to download them).
 */
export const compileAddon: Compile = async (packageFolder, tensorflowFolder, target, work, environment) => {
  await cp(join(packageFolder, 'binding'), join(work, 'binding'), { recursive: true })
  await copyFile(join(packageFolder, 'binding.gyp'), join(work, 'binding.gyp'))
  await copyFile(join(packageFolder, 'package.json'), join(work, 'package.json'))
  await makeFolders(join(work, 'deps', 'lib'))
  await symlink(join(tensorflowFolder, 'tensorflow', 'include'), join(work, 'deps', 'include'))
  for (const [link, library] of Object.entries(LIBRARY_LINKS)) {
    await symlink(join(tensorflowFolder, 'tensorflow', library), join(work, 'deps', 'lib', link))
  }

  const nodePreGyp = createRequire(join(packageFolder, 'package.json')).resolve('@mapbox/node-pre-gyp/bin/node-pre-gyp')
  const result = await runProcess(process.execPath, [nodePreGyp, 'install', '--build-from-source'], {
    environment: { ...environment, ...(await nodeGypEnvironment(environment)) },
    folder: work,
    timeoutMilliseconds: COMPILE_TIMEOUT_MILLISECONDS,
  })
  const built = join(work, ADDON_PATH)
  if (result.exitCode !== 0 || (await fileSize(built)) === undefined) {
    throw new RunError(`the addon could not be compiled: ${reasonIn(result.tail)}`)
  }
  await copyFile(built, target)
}

/** Environment variables that tell node-pre-gyp where node-gyp is, and node-gyp where Node's headers are; empty if neither was found. */
export async function nodeGypEnvironment(environment: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const found: NodeJS.ProcessEnv = {}
  const prefix = dirname(dirname(await realpath(process.execPath)))
  if (environment['npm_config_nodedir'] === undefined && existsSync(join(prefix, 'include', 'node', 'node.h'))) {
    found['npm_config_nodedir'] = prefix
  }
  const npm = findProgram('npm', environment)
  if (environment['npm_config_node_gyp'] === undefined && npm !== undefined) {
    try {
      found['npm_config_node_gyp'] = createRequire(await realpath(npm)).resolve('node-gyp/bin/node-gyp.js')
    } catch {
      // This npm has no node-gyp of its own: node-pre-gyp then looks beside Node and on PATH, and says if there is none.
    }
  }
  return found
}

const packageSchema = z.object({ version: z.string() })

/** The version in a package's package.json. */
export async function packageVersionOf(packageFolder: string): Promise<string> {
  return packageSchema.parse(JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8'))).version
}
