import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { Program } from './processes.ts'
import { ROOT } from '../../shared/kit/project.ts'

const HELPER = path.join(ROOT, 'test/support/terminal.py')

/** Reason why tests on a pseudo terminal are skipped here; false if they are not. On continuous integration (CI=true) they run even without it, and fail. */
export const withoutTerminal = hasPty() || process.env['CI'] === 'true' ? false : 'a pseudo terminal takes python3 on a Unix'

/** A program on a terminal of its own; its `stdout` is everything that it draws. */
export class TerminalProgram extends Program {
  constructor(name: 'coordinator' | 'worker' | 'herd', args: readonly string[], environment: Record<string, string> = {}, { rows = 30, columns = 120 } = {}) {
    super(name, args, { TERM: 'xterm-256color', ...environment }, ['python3', HELPER, String(rows), String(columns)], { stdin: 'pipe' })
  }

  press(keys: string): void {
    this.child.stdin?.write(`${JSON.stringify({ press: keys })}\n`)
  }

  resize(rows: number, columns: number): void {
    this.child.stdin?.write(`${JSON.stringify({ resize: [rows, columns] })}\n`)
  }
}

function hasPty(): boolean {
  try {
    execFileSync('python3', ['-c', 'import pty, termios'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
