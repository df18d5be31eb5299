import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import path from 'node:path'
import { ROOT } from '../../shared/kit/project.ts'

/** Programs of others that tests ask, as .ci/install-python knows them. */
type Installed = 'tensorboard' | 'onnxruntime'

const missing = (name: Installed): string => `${name} is not installed for the tests: .ci/install-python ${name} does it`

/** Reason why tests that need a program are skipped here; false if they are not. On continuous integration (CI=true) they run even without it, and fail. */
export function withoutPython(name: Installed): string | false {
  return pythonOf(name) !== undefined || process.env['CI'] === 'true' ? false : missing(name)
}

/** Runs a script with a program's Python. @returns what it prints. @throws Error with what it complains of, if it fails */
export async function runPython(name: Installed, args: readonly string[], { input = '', cwd }: { input?: string; cwd?: string } = {}): Promise<string> {
  const python = pythonOf(name)
  assert.ok(python !== undefined, missing(name))
  const child = spawn(python, args, { stdio: 'pipe', ...(cwd === undefined ? {} : { cwd }) })
  child.stdin.end(input)
  const texts = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) child[stream].setEncoding('utf8').on('data', (text: string) => (texts[stream] += text))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  assert.equal(code, 0, texts.stderr)
  return texts.stdout
}

function pythonOf(name: Installed): string | undefined {
  try {
    return execFileSync('bash', [path.join(ROOT, '.ci/install-python'), name, '--no-install'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
