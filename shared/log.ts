import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'

/** Messages may have fields before their text, which only machines see: `log.info({ epoch: 3 }, 'epoch 3 ...')`. */
export type Log = Logger

export const logFormats = ['pretty', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

export interface LogOptions {
  quiet: boolean
  verbose: boolean
  logFormat: LogFormat
}

/** The program's log, on standard error: for people, or as one JSON record a line. Results and progress go to standard output. */
export function createLog({ quiet, verbose, logFormat }: LogOptions): Log {
  const level = quiet ? 'warn' : verbose ? 'debug' : 'info'
  if (logFormat === 'json') {
    const named = { level: (label: string) => ({ level: label }) }
    return pino({ level, formatters: named, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))
  }
  return pino({ level }, pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', colorize: process.stderr.isTTY, hideObject: true }))
}
