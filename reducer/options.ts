import { address, flag, logFormat, text, whole, type OptionValues } from '../shared/command/options.ts'
import { UsageError } from '../shared/kit/errors.ts'

/** The reducer's options. The coordinator decides which range it reduces. */
export const reducerOptions = {
  coordinator: address('Where the coordinator listens.', '127.0.0.1:7070'),
  listen: address('Where workers reach this reducer; port 0 takes a free one.', '127.0.0.1:0'),
  tokenFile: text('<file>', "File with the cluster's token, for both sides; the environment variable HERD_TOKEN can have the token itself."),
  tlsCa: text('<file>', 'Authority of the cluster, PEM: the coordinator must have a certificate of it, and workers too.'),
  tlsCert: text('<file>', "The reducer's certificate, PEM, for both sides."),
  tlsKey: text('<file>', 'The key of --tls-cert, PEM.'),
  insecure: flag('Listen beyond this machine without token or mutual TLS: whoever reaches the port can take part.'),
  maxWorkers: whole('<count>', 'For so many workers there is room.', { min: 1, max: 4096 }, 256),
  patience: whole('<seconds>', 'How long to keep trying to reach the coordinator.', { min: 0 }, 60),
  logFormat,
  quiet: flag('Print warnings and errors only.'),
  verbose: flag('Print details, and stack traces of errors.'),
} as const

export type ReducerOptions = OptionValues<typeof reducerOptions>

/**
 * Checks the rules between options.
 * @throws UsageError that names the options and what to do
 */
export function checkReducerOptions({ tlsCa, tlsCert }: ReducerOptions): void {
  if ((tlsCa === undefined) !== (tlsCert === undefined)) {
    throw new UsageError('--tls-ca, --tls-cert and --tls-key go together: a reducer calls the coordinator, and workers call it. `herd certs` makes them.')
  }
}
