import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

/** The program's log, for people, on standard error: results and progress go to standard output. */
export function createLog(level: { quiet: boolean; verbose: boolean }): Log {
  const stream = pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', colorize: process.stderr.isTTY })
  return pino({ level: level.quiet ? 'warn' : level.verbose ? 'debug' : 'info' }, stream)
}
