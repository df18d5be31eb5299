export const logFormats = ['pretty', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** The options of every program that say how much it tells, and in what form. */
export interface LogOptions {
  quiet: boolean
  verbose: boolean
  logFormat: LogFormat
}
