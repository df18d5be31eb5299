export const logFormats = ['pretty', 'json'] as const
export type LogFormat = (typeof logFormats)[number]

/** Options that every program has: how much it logs, and in which format. */
export interface LogOptions {
  quiet: boolean
  verbose: boolean
  logFormat: LogFormat
}
