import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * True if a server that listens on this host can be reached from this machine only. A name other than localhost may mean any address, and counts
 * as reachable.
 */
export function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** True if a server that listens on this host listens on every address of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || (host.includes(':') && /^[0:]+$/.test(host))
}

/** Returns the host by which this machine reaches a server that listens on `host`: clients cannot connect to the address that stands for all interfaces. */
export function reachableHost(host: string): string {
  if (!isEveryAddress(host)) return host
  return host.includes(':') ? '::1' : '127.0.0.1'
}
