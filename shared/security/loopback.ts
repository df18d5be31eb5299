import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can reach a host that is listened on. Names other than localhost may mean anything, and count as reachable. */
export function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}

/** Whether a host that is listened on stands for every address of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || (host.includes(':') && /^[0:]+$/.test(host))
}

/** Where this machine reaches a server that listens on a host: an address for all interfaces is none to connect to. */
export function reachableHost(host: string): string {
  if (!isEveryAddress(host)) return host
  return host.includes(':') ? '::1' : '127.0.0.1'
}
