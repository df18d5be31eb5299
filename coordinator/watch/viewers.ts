import { parseAddress } from '../../shared/command/options.ts'
import { isLoopback } from '../../shared/security/loopback.ts'
import type { Token } from '../../shared/security/token.ts'
import type { Access } from '../port/access.ts'
import type { CoordinatorOptions } from '../options.ts'

type ViewerOptions = Pick<CoordinatorOptions, 'listen' | 'singleNode' | 'httpHost'>

/**
 * Chooses the token that viewers of the live page must present: the cluster's, if the page or the cluster listens beyond this machine.
 * @returns undefined if the page needs no token, or the cluster has none
 */
export function viewerToken({ listen, singleNode, httpHost = '127.0.0.1' }: ViewerOptions, { token }: Access): Token | undefined {
  const clusterBeyond = !singleNode && !isLoopback(parseAddress(listen)?.host ?? '')
  return clusterBeyond || !isLoopback(httpHost) ? token : undefined
}
