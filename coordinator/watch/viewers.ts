import { parseAddress } from '../../shared/command/options.ts'
import { isLoopback } from '../../shared/security/loopback.ts'
import type { Token } from '../../shared/security/token.ts'
import type { Access } from '../port/access.ts'
import type { CoordinatorOptions } from '../options.ts'

type ViewerOptions = Pick<CoordinatorOptions, 'listen' | 'singleNode' | 'httpHost'>

/** The token without which nobody looks at the live page: the cluster's, as soon as the page or the cluster is beyond this machine. */
export function viewerToken({ listen, singleNode, httpHost = '127.0.0.1' }: ViewerOptions, { token }: Access): Token | undefined {
  const clusterBeyond = !singleNode && !isLoopback(parseAddress(listen)?.host ?? '')
  return clusterBeyond || !isLoopback(httpHost) ? token : undefined
}
