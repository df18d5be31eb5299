import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import path from 'node:path'
import { RunError, UsageError } from '../../shared/kit/errors.ts'
import { buildEntry, cachedEntry, fileSize, filesBelow, inStaging, type NativeCache } from './cache.ts'
import { findProgram, reasonIn, runProcess } from './process.ts'
import { type WheelPin } from './releases.ts'
import { type Reporter } from './reporter.ts'
import { ROOT } from '../../shared/kit/project.ts'

/** Error for a wheel that is not the pinned file: it is never worked around, because somebody may have tampered with the file. */
export class ChecksumError extends RunError {}

const UNPACKER = path.join(ROOT, 'cli/setup/unpack_wheel.py')
const WATCH_MILLISECONDS = 200

/**
 * Unpacks a wheel's kept files into the cache, unless they are there already.
 * @param tags arguments with which pip chooses the wheel's platform; none for a wheel that is the same on all
 * @param localPath a wheel, or a folder that holds it under its own name; undefined to let pip download it
 * @returns the folder in the cache
 * @throws UsageError if the local file is not there
 * @throws ChecksumError if the file is not the pinned one
 * @throws RunError if pip or unpacking failed
 */
export async function ensureWheel(
  cache: NativeCache,
  tags: readonly string[],
  pin: WheelPin,
  localPath: string | undefined,
  environment: NodeJS.ProcessEnv,
  reporter: Reporter,
): Promise<string> {
  const name = wheelEntry(pin)
  return (
    (await cachedEntry(cache, name)) ??
    (await buildEntry(cache, name, async (folder) => {
      await inStaging(cache, async (downloads) => {
        const wheel =
          localPath === undefined
            ? await download(downloads, tags, pin, environment, reporter)
            : await localWheel(localPath, pin)
        await checkWheel(wheel, pin)
        await unpack(wheel, folder, pin, environment, reporter)
      })
    }))
  )
}

/** Name of a wheel's entry in the cache, which changes with the content of the wheel. */
export function wheelEntry(pin: WheelPin): string {
  return `${pin.project}-${pin.version}-${pin.sha256.slice(0, 12)}`
}

/** Path of the python3 on PATH. @throws RunError if there is none */
export function pythonIn(environment: NodeJS.ProcessEnv): string {
  const python = findProgram('python3', environment)
  if (python === undefined) throw new RunError('python3 not found on PATH')
  return python
}

async function download(
  folder: string,
  tags: readonly string[],
  pin: WheelPin,
  environment: NodeJS.ProcessEnv,
  reporter: Reporter,
): Promise<string> {
  const temporary = join(folder, 'temporary')
  await mkdir(temporary)
  const transfer = reporter.transfer(`Downloading ${pin.project} ${pin.version} with pip`, pin.bytes)
  // Only recent versions of pip can print their progress for programs; the growth of the files shows it for all versions.
  const watch = setInterval(() => {
    bytesBelow(folder).then(transfer.update, () => undefined)
  }, WATCH_MILLISECONDS)
  const command = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--no-cache-dir']
  try {
    const result = await runProcess(
      pythonIn(environment),
      [...command, ...tags, '--dest', folder, `${pin.project}==${pin.version}`],
      // pip's temporary files are in a folder of Herd's, so that nothing is left elsewhere when pip is killed.
      { environment: { ...environment, TMPDIR: temporary, PIP_DISABLE_PIP_VERSION_CHECK: '1' } },
    )
    if (result.exitCode !== 0) throw new RunError(`pip could not download ${pin.project} ${pin.version}: ${reasonIn(result.tail)}`)
    transfer.update(pin.bytes)
  } finally {
    clearInterval(watch)
    transfer.stop()
  }
  const wheel = join(folder, pin.fileName)
  if ((await fileSize(wheel)) === undefined) {
    const others = (await filesBelow(folder)).join(', ')
    throw new RunError(`pip downloaded ${others === '' ? 'nothing' : others} instead of ${pin.fileName}`)
  }
  return wheel
}

async function bytesBelow(folder: string): Promise<number> {
  const sizes = await Promise.all((await filesBelow(folder)).map((path) => fileSize(join(folder, path))))
  return sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0)
}

async function localWheel(localPath: string, pin: WheelPin): Promise<string> {
  const status = await stat(localPath).catch(() => undefined)
  if (status === undefined) {
    throw new UsageError(`--wheel ${localPath}: no such file or folder; give the path of ${pin.fileName}`)
  }
  if (!status.isDirectory()) return localPath
  const path = join(localPath, pin.fileName)
  if ((await fileSize(path)) === undefined) {
    throw new UsageError(`--wheel ${localPath}: the folder does not contain ${pin.fileName}`)
  }
  return path
}

/**
 * Checks a file against its pinned checksum.
 * @throws ChecksumError if it differs, or if the file is no zip archive at all
 */
export async function checkWheel(path: string, pin: WheelPin): Promise<void> {
  const expected = `expected ${pin.fileName} with sha256 ${pin.sha256}`
  if (!(await isZip(path))) throw new ChecksumError(`${path} is not a wheel (not a zip archive): ${expected}`)
  const sha256 = createHash('sha256')
  for await (const block of createReadStream(path, { highWaterMark: 1 << 20 })) sha256.update(block as Buffer)
  const actual = sha256.digest('hex')
  if (actual !== pin.sha256) {
    throw new ChecksumError(`${path} is not the wheel that Herd knows: its sha256 is ${actual}, ${expected}`)
  }
}

async function isZip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(4), 0, 4, 0)
    return bytesRead === 4 && buffer.toString('latin1') === 'PK\x03\x04'
  } finally {
    await file.close()
  }
}

/**
 * Unpacks the entries that the pin keeps, with Python's zipfile: Node has no zip reader, Python is there anyway (pip,
 * node-gyp), and its reader streams, checks each entry's CRC and reads archives of any size.
 */
async function unpack(
  wheel: string,
  folder: string,
  pin: WheelPin,
  environment: NodeJS.ProcessEnv,
  reporter: Reporter,
): Promise<void> {
  let transfer: ReturnType<Reporter['transfer']> | undefined
  const result = await runProcess(pythonIn(environment), [UNPACKER, wheel, folder, ...pin.keep], {
    environment,
    onLine(line) {
      const [word, bytes] = line.split(' ')
      if (word === 'total') transfer = reporter.transfer(`Unpacking ${pin.project} ${pin.version}`, Number(bytes))
      if (word === 'done') transfer?.update(Number(bytes))
    },
  })
  transfer?.stop()
  if (result.exitCode !== 0) throw new RunError(`${pin.fileName} could not be unpacked: ${reasonIn(result.tail)}`)
}
