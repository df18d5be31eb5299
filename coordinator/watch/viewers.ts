import { parseAddress } from '../../shared/command/options.ts'
import { isLoopback } from '../../shared/security/loopback.ts'
import type { Tokens } from '../../shared/security/token.ts'
import type { Access } from '../port/access.ts'
import type { CoordinatorOptions } from '../options.ts'

type ViewerOptions = Pick<CoordinatorOptions, 'listen' | 'singleNode' | 'httpHost'>

/**
 * Chooses the token that viewers of the live page must present: the cluster's, if the page or the cluster listens beyond this machine.
 * @returns undefined if the page needs no token, or the cluster has none
 */
export function viewerToken({ listen, singleNode, httpHost = '127.0.0.1' }: ViewerOptions, { token, deny }: Access): Pick<Tokens, 'holderOf'> | undefined {
  const clusterBeyond = !singleNode && !isLoopback(parseAddress(listen)?.host ?? '')
  if (token === undefined || (!clusterBeyond && isLoopback(httpHost))) return undefined
  return {
    holderOf: (header) => {
      const holder = token.holderOf(header)
      return holder?.name !== undefined && deny?.refusalOf(holder.name) !== undefined ? undefined : holder
    },
  }
}
