import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { LogOptions } from './log_options.ts'

/** Messages may have fields before their text, which only machines see: `log.info({ epoch: 3 }, 'epoch 3 ...')`. */
export type Log = Logger

/** The program's log, on standard error: for people, or as one JSON record a line. Results and progress go to standard output. */
export function createLog({ quiet, verbose, logFormat }: LogOptions): Log {
  const level = quiet ? 'warn' : verbose ? 'debug' : 'info'
  if (logFormat === 'json') {
    const named = { level: (label: string) => ({ level: label }) }
    return pino({ level, formatters: named, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
  }
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', colorize: process.stderr.isTTY, hideObject: true }))
}
