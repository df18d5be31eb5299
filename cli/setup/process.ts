import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface ProcessResult {
  /** 0 if all went well; 127 if the program could not be started; 1 if it was killed. */
  exitCode: number
  stdout: string
  /** Last characters of standard output and standard error together, which a person reads to see what went wrong. */
  tail: string
}

export interface ProcessOptions {
  environment: NodeJS.ProcessEnv
  folder?: string
  timeoutMilliseconds?: number
  /** Called with each whole line of standard output as it comes. */
  onLine?: (line: string) => void
}

const TAIL_CHARACTERS = 4000

/** Runs a program to its end. Never throws, whatever the program does: the result tells. */
export function runProcess(program: string, programArguments: string[], options: ProcessOptions): Promise<ProcessResult> {
  return new Promise((resolve) => {
    let stdout = ''
    let tail = ''
    let unfinishedLine = ''
    const child = spawn(program, programArguments, {
      ...(options.folder === undefined ? {} : { cwd: options.folder }),
      ...(options.timeoutMilliseconds === undefined ? {} : { timeout: options.timeoutMilliseconds, killSignal: 'SIGKILL' as const }),
      env: options.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const remember = (text: string): void => {
      tail = (tail + text).slice(-TAIL_CHARACTERS)
    }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      remember(text)
      const lines = (unfinishedLine + text).split('\n')
      unfinishedLine = lines.pop() ?? ''
      for (const line of lines) options.onLine?.(line)
    })
    child.stderr.setEncoding('utf8').on('data', remember)
    child.on('error', (error: NodeJS.ErrnoException) => {
      const text = error.code === 'ENOENT' ? `${program} not found` : error.message
      resolve({ exitCode: 127, stdout, tail: text })
    })
    child.on('close', (code, signal) => {
      const limit = options.timeoutMilliseconds
      if (signal === 'SIGKILL' && limit !== undefined) remember(`\nerror: stopped, since it was not done after ${limit / 1000} s`)
      else if (signal !== null) remember(`\nerror: ended by ${signal}`)
      resolve({ exitCode: code ?? 1, stdout, tail })
    })
  })
}

/** Path of a program on the environment's PATH, or undefined. */
export function findProgram(name: string, environment: NodeJS.ProcessEnv): string | undefined {
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return undefined
}

/** The line of a program's output that says what went wrong: the first one that calls itself an error, else the last one. */
export function reasonIn(tail: string): string {
  const lines = tail.split('\n').map((line) => line.trim()).filter((line) => line !== '')
  const reason = lines.find((line) => /(^|\s)\w*error\s*:\s*\S/i.test(line)) ?? lines.at(-1) ?? 'it said nothing'
  return reason.length > 300 ? `${reason.slice(0, 300)}...` : reason
}
