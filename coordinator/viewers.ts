import { parseAddress } from '../shared/command/options.ts'
import { UsageError } from '../shared/errors.ts'
import { isLoopback } from '../shared/security/loopback.ts'
import type { Token } from '../shared/security/token.ts'
import type { Access } from './access.ts'
import type { CoordinatorOptions } from './options.ts'

type ViewerOptions = Pick<CoordinatorOptions, 'listen' | 'singleNode' | 'httpHost' | 'httpPort' | 'insecure'>

/** The token without which nobody looks at the live page: the cluster's, as soon as the page or the cluster is beyond this machine. */
export function viewerToken({ listen, singleNode, httpHost = '127.0.0.1' }: ViewerOptions, { token }: Access): Token | undefined {
  const clusterBeyond = !singleNode && !isLoopback(parseAddress(listen)?.host ?? '')
  return clusterBeyond || !isLoopback(httpHost) ? token : undefined
}

/** @throws UsageError where anybody could look on from another machine, and --insecure does not say so. */
export function checkViewers({ httpHost = '127.0.0.1', httpPort, insecure }: ViewerOptions, { token }: Access): void {
  if (httpPort === undefined || isLoopback(httpHost) || token !== undefined || insecure) return
  throw new UsageError(`--http-host ${httpHost}: whoever reaches the port could look at the run and its images. Set a token (HERD_TOKEN or --token-file), or say --insecure in a network where everybody is trusted.`)
}
