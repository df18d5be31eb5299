import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { LogOptions } from './log_options.ts'

/** The program's logger. A message may have fields before its text, which appear only in JSON: `log.info({ epoch: 3 }, 'epoch 3 ...')`. */
export type Log = Logger

/** Creates the program's log on standard error: text for people, or one JSON record a line. Results and progress go to standard output instead. */
export function createLog({ quiet, verbose, logFormat }: LogOptions): Log {
  const level = quiet ? 'warn' : verbose ? 'debug' : 'info'
  if (logFormat === 'json') {
    const named = { level: (label: string) => ({ level: label }) }
    return pino({ level, formatters: named, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
  }
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', colorize: process.stderr.isTTY, hideObject: true }))
}
