import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'

/**
 * Options of a test that needs one of Prometheus' programs. If the program is missing, the test is skipped, and says how to
 * install it; on continuous integration (CI=true) it runs anyway, and fails at `requireTool`.
 */
export function needs(tool: string): { skip: string | false } {
  const missing = missingTool(tool)
  return { skip: missing === undefined || process.env['CI'] === 'true' ? false : missing }
}

export function requireTool(tool: string): void {
  const missing = missingTool(tool)
  assert.equal(missing, undefined, missing)
}

function missingTool(tool: string): string | undefined {
  const { error } = spawnSync(tool, ['--version'])
  return error === undefined ? undefined : `${tool} is not installed (.ci/install-prometheus installs it on Debian and Ubuntu; elsewhere put it into PATH)`
}

/** Runs `promtool` with a text on its standard input. @returns its exit code, or -1 if it could not be run, and its output */
export async function promtool(args: string[], input = ''): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    // Each group of rule tests makes a small database: most of the time would go into collecting garbage.
    const child = execFile('promtool', args, { env: { ...process.env, GOGC: '800' } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, output: stdout + stderr })
    })
    child.stdin?.end(input)
  })
}
