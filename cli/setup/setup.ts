import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { writeAtomically } from '../../shared/kit/atomic_file.ts'
import { messageOf, RunError, UsageError } from '../../shared/kit/errors.ts'
import { sha256Of } from '../../shared/kit/sha256.ts'
import { ADDON_PATH, addonEntry, compileAddon, ensureAddon, missingTools, packageVersionOf, type Compile } from './addon.ts'
import { cachedEntry, fileSize, nativeCache, readJson, sweepStaging, type NativeCache } from './cache.ts'
import { linkIntoPackage, removeFromPackage, stampInPlace, writeStamp, type Stamp } from './install.ts'
import { withLock } from '../../shared/kit/lock.ts'
import { runOwnInstaller, type RunOwnInstaller } from './own_installer.ts'
import { npmPackageOf, pipTags, type NativeRelease, type Variant } from './releases.ts'
import { type Reporter } from './reporter.ts'
import { verifyPackage, type Verified, type Verify } from './verify.ts'
import { ChecksumError, ensureWheel } from './wheel.ts'

export interface SetupRequest {
  variant: Variant
  /** The pinned build for this platform, if there is one. */
  release: NativeRelease | undefined
  /** Folder of the installed npm package; undefined if it is not installed. */
  packageFolder: string | undefined
  /** A wheel, or a folder with the wheels, to use instead of a download. */
  wheel: string | undefined
  /** True to set up again even if it is done already, or failed a short time ago. */
  force: boolean
  /** True to let the package's own installer try, when nothing else worked: what it downloads has no pinned checksum. */
  ownInstaller: boolean
  environment: NodeJS.ProcessEnv
}

/** Parts that a test may replace: those that need TensorFlow or a network, and the clock. */
export interface SetupParts {
  compile: Compile
  verify: Verify
  runOwnInstaller: RunOwnInstaller
  /** Milliseconds since 1970. */
  now: () => number
}

export const REAL_PARTS: SetupParts = { compile: compileAddon, verify: verifyPackage, runOwnInstaller, now: Date.now }

/** Time for which a failed setup is not tried again, since `npm start` and `npm test` call the setup each time. */
const RETRY_AFTER_MILLISECONDS = 60 * 60_000

const failureSchema = z.object({ key: z.string(), time: z.number(), reasons: z.array(z.string()), missing: z.array(z.string()) })
type Failure = z.infer<typeof failureSchema>

/**
 * Obtains the native engine: from the wheels, else the one that the package has already, else by the package's own installer,
 * else not at all, which is no error: the wasm engine then computes. Each way ends with a computation in a process of its own,
 * and counts only if the result is right.
 * @returns the engine that Herd will compute with
 * @throws UsageError if the local wheel is not there
 * @throws ChecksumError if a wheel is not the pinned one
 * @throws RunError if a way failed while an engine is in place, which is kept
 */
export async function setUp(request: SetupRequest, reporter: Reporter, parts: SetupParts = REAL_PARTS): Promise<'native' | 'wasm'> {
  const { variant, packageFolder, environment } = request
  const npmPackage = npmPackageOf(variant)
  if (packageFolder === undefined) {
    reporter.warn(
      `No native engine: the optional package ${npmPackage} is not installed (was it left out by --omit=optional?). ` +
        `Run "npm ci --include=optional", then "herd setup" again. ${WASM_INSTEAD}`,
    )
    return 'wasm'
  }
  const key = await setupKey(variant, request.release, packageFolder)
  const isInPlace = async (): Promise<boolean> => {
    const stamp = request.force ? undefined : await stampInPlace(packageFolder, key)
    if (stamp !== undefined) reporter.note(`Native engine in place: ${describe(stamp, npmPackage)}. Nothing to do.`)
    return stamp !== undefined
  }
  if (await isInPlace()) return 'native'

  const cache = nativeCache(environment)
  const failurePath = join(cache.folder, `unavailable-${variant}.json`)
  const failure = await readJson(failurePath, failureSchema)
  if (failure !== undefined && request.wheel === undefined && !request.force && stillHolds(failure, key, environment, parts.now())) {
    reporter.warn(`No native engine, as an earlier try found (${failure.reasons.join('; ')}); "herd setup --force" tries again. ${WASM_INSTEAD}`)
    return 'wasm'
  }

  return withLock(
    join(cache.folder, 'lock'),
    (holder) => reporter.note(`Another herd setup is at work (${holder}): waiting for it.`),
    async () => {
      if (await isInPlace()) return 'native' // The previous holder of the lock has done it.
      await sweepStaging(cache)
      const reasons: string[] = []
      const started = parts.now()
      const obtained = await obtain(request, packageFolder, key, cache, reporter, parts, reasons).finally(() => sweepStaging(cache))
      if (obtained === undefined) {
        const remembered: Failure = { key, time: parts.now(), reasons, missing: missingTools(environment) }
        await writeAtomically(failurePath, [JSON.stringify(remembered)])
        reporter.warn(`No native engine here. ${WASM_INSTEAD} When what is missing is there, "herd setup --force" tries again; "--own-installer" takes an older TensorFlow, without a checksum.`)
        return 'wasm'
      }
      await writeStamp(packageFolder, key, obtained.source, obtained.verified, obtained.source === 'wheel' ? request.release?.wheels.map(({ sha256 }) => sha256) : undefined)
      await rm(failurePath, { force: true })
      const seconds = ((parts.now() - started) / 1000).toFixed(1)
      reporter.note(`Native engine ready: ${describe({ source: obtained.source, ...obtained.verified }, npmPackage)} (${seconds} s).`)
      if (variant === 'gpu' && !obtained.verified.usesGpu) {
        reporter.warn(`No GPU was found here (is the NVIDIA driver installed?): ${npmPackage} computes on the CPU.`)
      }
      return 'native'
    },
  )
}

/** Tries the ways in order, and tells why one failed. An engine in place that was not touched yet (its stamp is still there) is kept. */
async function obtain(
  request: SetupRequest,
  packageFolder: string,
  key: string,
  cache: NativeCache,
  reporter: Reporter,
  parts: SetupParts,
  reasons: string[],
): Promise<Obtained | undefined> {
  for (const way of WAYS) {
    if (!(await way.applies(request))) continue
    try {
      return await way.run(request, packageFolder, cache, reporter, parts)
    } catch (error) {
      if (error instanceof ChecksumError || error instanceof UsageError) throw error
      if ((await stampInPlace(packageFolder, key)) !== undefined) {
        throw new RunError(`${messageOf(error)}; the engine that was in place is kept`)
      }
      const reason = `${way.name}: ${messageOf(error)}`
      reasons.push(reason)
      reporter.warn(`That did not work. ${reason}`)
    }
  }
  return undefined
}

const WASM_INSTEAD = 'Herd will compute with the wasm engine, which is many times slower.'

interface Obtained {
  source: Stamp['source']
  verified: Verified
}

type Way = (
  request: SetupRequest,
  packageFolder: string,
  cache: NativeCache,
  reporter: Reporter,
  parts: SetupParts,
) => Promise<Obtained>

const fromWheels: Way = async (request, packageFolder, cache, reporter, parts) => {
  const { release, environment } = request
  if (release === undefined) {
    throw new RunError(`no TensorFlow ${request.variant === 'gpu' ? 'with CUDA ' : ''}is pinned for ${process.platform}-${process.arch}`)
  }
  await requireTools(cache, release, packageFolder, environment)
  const wheelFolders: string[] = []
  for (const pin of release.wheels) {
    wheelFolders.push(await ensureWheel(cache, pipTags(release), pin, request.wheel, environment, reporter))
  }
  const addonFolder = await ensureAddon(cache, release, packageFolder, wheelFolders[0], environment, reporter, parts.compile)
  return orRemoved(packageFolder, async () => {
    await linkIntoPackage(packageFolder, wheelFolders, addonFolder)
    return { source: 'wheel', verified: await parts.verify(packageFolder, environment) }
  })
}

/** Runs `work`, and removes what it leaves in the package if it fails. */
async function orRemoved(packageFolder: string, work: () => Promise<Obtained>): Promise<Obtained> {
  try {
    return await work()
  } catch (error) {
    await removeFromPackage(packageFolder)
    throw error
  }
}

/** The engine that somebody put there without Herd (by `npm rebuild`, by hand), which is better than none. */
const fromWhatIsThere: Way = async (request, packageFolder, _cache, reporter, parts) => {
  reporter.note(`Trying the engine that ${npmPackageOf(request.variant)} has already`)
  return { source: 'found', verified: await parts.verify(packageFolder, request.environment) }
}

/**
 * Checks, before hundreds of megabytes are fetched in vain, that the addon is in the cache or can be compiled.
 * @throws RunError naming the programs that are missing
 */
async function requireTools(
  cache: NativeCache,
  release: NativeRelease,
  packageFolder: string,
  environment: NodeJS.ProcessEnv,
): Promise<void> {
  if ((await cachedEntry(cache, addonEntry(release, await packageVersionOf(packageFolder)))) !== undefined) return
  const missing = missingTools(environment)
  if (missing.length > 0) {
    throw new RunError(`${missing.join(', ')} not found (on Debian or Ubuntu: apt-get install g++ make python3 python3-pip)`)
  }
}

const fromOwnInstaller: Way = async (request, packageFolder, _cache, reporter, parts) => {
  reporter.note(`Trying the installer of ${npmPackageOf(request.variant)} itself (an older TensorFlow; at most 5 minutes)`)
  return orRemoved(packageFolder, async () => {
    await parts.runOwnInstaller(packageFolder, request.variant, request.environment)
    return { source: 'installer', verified: await parts.verify(packageFolder, request.environment) }
  })
}

const always = async (): Promise<boolean> => true
const hasAddon = async ({ packageFolder = '' }: SetupRequest): Promise<boolean> => (await fileSize(join(packageFolder, ADDON_PATH))) !== undefined
const isWanted = async ({ ownInstaller }: SetupRequest): Promise<boolean> => ownInstaller

const WAYS: { name: string; applies: (request: SetupRequest) => Promise<boolean>; run: Way }[] = [
  { name: 'TensorFlow from its Python wheel', applies: always, run: fromWheels },
  { name: 'the engine that was there', applies: hasAddon, run: fromWhatIsThere },
  { name: "the package's own installer", applies: isWanted, run: fromOwnInstaller },
]

/** Hash that changes with everything that makes an engine in place the wrong one. */
async function setupKey(variant: Variant, release: NativeRelease | undefined, packageFolder: string): Promise<string> {
  const version = await packageVersionOf(packageFolder)
  const parts = [variant, version, process.platform, process.arch, process.versions.modules]
  for (const pin of release?.wheels ?? []) parts.push(pin.sha256)
  return sha256Of(parts.join(' ')).slice(0, 16)
}

/** True while a remembered failure counts: for a while, unless a program that was missing has been installed since. */
function stillHolds(failure: Failure, key: string, environment: NodeJS.ProcessEnv, now: number): boolean {
  const age = now - failure.time
  if (failure.key !== key || age < 0 || age > RETRY_AFTER_MILLISECONDS) return false
  const missing = missingTools(environment)
  return failure.missing.every((tool) => missing.includes(tool))
}

function describe(engine: Pick<Stamp, 'source' | 'tensorflow' | 'usesGpu'>, npmPackage: string): string {
  return `TensorFlow ${engine.tensorflow} (${npmPackage}${ORIGINS[engine.source]}) on the ${engine.usesGpu ? 'GPU' : 'CPU'}`
}

const ORIGINS: Record<Stamp['source'], string> = { wheel: '', found: ', as it was found', installer: ', from its own installer' }
