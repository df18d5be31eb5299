import { parseAddress } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'
import { isLoopback } from '../../shared/security/loopback.ts'
import { newSecret } from '../../shared/security/secret.ts'
import { readTls, type TlsFiles, type TlsOptions } from '../../shared/security/tls.ts'
import { takeToken, Token, type Tokens } from '../../shared/security/token.ts'
import { DenyList } from './deny_list.ts'

/** Options that decide how a port is protected. */
export interface AccessOptions extends TlsOptions {
  listen: string
  tokenFile: string | undefined
  /** File of identities that may not take part. */
  deny?: string | undefined
  insecure: boolean
  /** True if the process does not listen at all. */
  singleNode: boolean
  maxWorkers: number
}

/** Credentials and limits that decide which workers and reducers may take part in a run. */
export interface Access {
  token: Tokens | undefined
  /** Token of a run without one of its user's, which only the processes that the coordinator starts have: nobody else needs to come in. */
  ownToken?: Token | undefined
  tls: TlsFiles | undefined
  maxWorkers: number
  /** Identities that may not take part; undefined: there is no such list. */
  deny?: Pick<DenyList, 'refusalOf'> | undefined
}

/**
 * Reads tokens, certificates and the list of those who may not take part.
 * @param environment HERD_TOKEN is removed from it
 * @returns what was read, and a warning for the user if the port is not fully protected
 * @throws UsageError if a file is invalid, or if any peer could join from another machine and --insecure is not given
 */
export async function readAccess(options: AccessOptions, environment: NodeJS.ProcessEnv, now: Date): Promise<{ access: Access & { deny: DenyList | undefined }; warning: string | undefined }> {
  const token = await takeToken(environment, options.tokenFile)
  const tls = await readTls(options, now)
  const deny = options.deny === undefined ? undefined : await DenyList.read(options.deny)
  const access = { token, tls, deny, maxWorkers: options.maxWorkers }
  const host = parseAddress(options.listen)?.host ?? ''
  if (options.singleNode || isLoopback(host)) return { access, warning: undefined }
  if (token === undefined && tls?.ca === undefined) {
    if (!options.insecure) throw new UsageError(openDoor(options.listen))
    return { access, warning: `--listen ${options.listen} with --insecure: whoever reaches this port can read the images and change the weights.` }
  }
  const warning = tls === undefined ? `--listen ${options.listen} without TLS: token, images and weights travel in the clear. \`herd certs\` makes certificates.` : undefined
  return { access, warning }
}

/** Makes the token of a run that starts all of its workers and reducers itself, on this machine, and whose user has closed the port in no other way. */
export function ownTokenOf({ token, tls }: Access, { localWorkers, reducersElsewhere, listen }: { localWorkers: number | undefined; reducersElsewhere: boolean; listen: string }): Token | undefined {
  const isAlone = localWorkers !== undefined && !reducersElsewhere && isLoopback(parseAddress(listen)?.host ?? '')
  return isAlone && token === undefined && tls === undefined ? new Token(newSecret(), 'the run itself') : undefined
}

function openDoor(listen: string): string {
  return (
    `--listen ${listen}: whoever reaches this port could join. Set a token (HERD_TOKEN or --token-file), or ask workers for certificates\n` +
    '(--tls-cert, --tls-key and --tls-ca; `herd certs` makes them), or say --insecure in a network where everybody is trusted.'
  )
}
