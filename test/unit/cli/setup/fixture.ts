import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SetupParts, type SetupRequest } from '../../../../cli/setup/setup.ts'
import { findProgram } from '../../../../cli/setup/process.ts'
import { type NativeRelease, type WheelPin } from '../../../../cli/setup/releases.ts'
import { type Reporter } from '../../../../cli/setup/reporter.ts'

/** Path of the real Python, which unpacks the tests' small wheels; without it these tests are skipped, since the native engine needs it too. */
export const python =
  findProgram('python3', process.env) === undefined
    ? undefined
    : execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim()
export const needsPython = { skip: python === undefined ? 'python3 is not installed' : false }

/** A folder with a PATH of its own: a python3 whose pip hands out local wheels, and compilers that are never called. */
export interface Fixture {
  folder: string
  environment: NodeJS.ProcessEnv
  /** Folder of the wheels that the fake pip hands out. */
  wheels: string
  /** Number of calls of pip so far. */
  pipCalls(): Promise<number>
  setPip(mode: 'works' | 'fails'): Promise<void>
  removeTool(name: string): Promise<void>
  addTool(name: string): Promise<void>
  close(): Promise<void>
}

export async function createFixture(): Promise<Fixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'herd-setup-')))
  const programs = join(folder, 'bin')
  const wheels = join(folder, 'wheels')
  await mkdir(programs)
  await mkdir(wheels)
  const script = async (name: string, text: string): Promise<void> => {
    await writeFile(join(programs, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(programs, name), 0o755)
  }
  const log = join(folder, 'pip.log')
  const mode = join(folder, 'pip.mode')
  await script(
    'python3',
    `if [ "$2" != pip ]; then exec '${python}' "$@"; fi
echo "$@" >> '${log}'
if [ -e '${mode}' ]; then echo "ERROR: no such mirror" >&2; exit 1; fi
while [ "$1" != --dest ]; do shift; done
exec /bin/cp '${wheels}'/* "$2"`,
  )
  await script('make', 'exit 1')
  await script('g++', 'exit 1')
  return {
    folder,
    wheels,
    environment: { PATH: programs, HERD_CACHE: join(folder, 'cache') },
    pipCalls: async () => (existsSync(log) ? (await readFile(log, 'utf8')).trim().split('\n').length : 0),
    setPip: (wanted) => (wanted === 'works' ? rm(mode, { force: true }) : writeFile(mode, '')),
    removeTool: (name) => rm(join(programs, name)),
    addTool: (name) => script(name, 'exit 1'),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

/** Zips files into a wheel in the fake pip's folder. @returns its pin */
export async function makeWheel(fixture: Fixture, fileName: string, files: Record<string, string>): Promise<WheelPin> {
  const path = join(fixture.wheels, fileName)
  const program = 'import json,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z:\n  [z.writestr(n, t) for n, t in json.loads(sys.argv[2]).items()]'
  execFileSync(python ?? 'python3', ['-c', program, path, JSON.stringify(files)])
  const content = await readFile(path)
  const sha256 = createHash('sha256').update(content).digest('hex')
  const [project, version] = fileName.split('-')
  return { project, version, fileName, sha256, bytes: content.length, keep: ['tensorflow/', 'nvidia/'] }
}

/** Files of a small stand-in for a TensorFlow wheel, with their contents. */
export const TENSORFLOW_FILES = {
  'tensorflow/libtensorflow_cc.so.2': 'the library',
  'tensorflow/libtensorflow_framework.so.2': 'the framework',
  'tensorflow/include/tensorflow/c/c_api.h': 'the header',
  'other/file.py': 'not needed',
}

export async function makeRelease(fixture: Fixture): Promise<NativeRelease> {
  const wheel = await makeWheel(fixture, 'tensorflow-2.0.0-fake.whl', TENSORFLOW_FILES)
  return { npmPackage: '@tensorflow/tfjs-node', tensorflow: '2.0.0', machine: 'x86_64', wheels: [wheel] }
}

/** Makes the folder of an installed tfjs-node without an engine. */
export async function makePackage(fixture: Fixture, clone: string): Promise<string> {
  const folder = join(fixture.folder, clone, 'node_modules', '@tensorflow', 'tfjs-node')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: '@tensorflow/tfjs-node', version: '4.22.0' }))
  return folder
}

export function requestFor(fixture: Fixture, release: NativeRelease | undefined, packageFolder: string): SetupRequest {
  return { variant: 'cpu', release, packageFolder, wheel: undefined, force: false, ownInstaller: true, environment: fixture.environment }
}

/** Parts that stand for the compiler, TensorFlow and tfjs-node's host, counting their calls. */
export interface CountingParts extends SetupParts {
  calls: { compile: number; verify: number; ownInstaller: number }
}

export function countingParts(changed: Partial<SetupParts> = {}): CountingParts {
  const calls = { compile: 0, verify: 0, ownInstaller: 0 }
  const parts: SetupParts = {
    compile: async (_packageFolder, _tensorflowFolder, target) => writeFile(target, 'the addon'),
    verify: async () => ({ tensorflow: '2.0.0', usesGpu: false }),
    runOwnInstaller: () => Promise.reject(new Error('host not found')),
    now: Date.now,
    ...changed,
  }
  return {
    calls,
    compile: (...given) => ((calls.compile += 1), parts.compile(...given)),
    verify: (...given) => ((calls.verify += 1), parts.verify(...given)),
    runOwnInstaller: (...given) => ((calls.ownInstaller += 1), parts.runOwnInstaller(...given)),
    now: parts.now,
  }
}

/** A reporter that records its messages. */
export function recordingReporter(): Reporter & { notes: string[]; warnings: string[] } {
  const notes: string[] = []
  const warnings: string[] = []
  return {
    notes,
    warnings,
    note: (text) => void notes.push(text),
    warn: (text) => void warnings.push(text),
    transfer(label) {
      notes.push(label)
      return { update: () => undefined, stop: () => undefined }
    },
  }
}
