import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const ip = (...args: string[]): Promise<unknown> => execute('ip', args)

/** One of several hosts on this machine: a Linux network namespace. */
export interface Host {
  /** Address at which the other hosts reach it. */
  address: string
  /** Command that, put in front of a program's own, runs it on this host. */
  launcher: readonly string[]
  /** Pulls the host's cable, or plugs it in again. */
  cable(plugged: boolean): Promise<void>
  /** Limits the bandwidth of its cable, in bits a second each way. */
  limit(bitsPerSecond: number): Promise<void>
}

/** Hosts that are connected to one switch. */
export interface Hosts {
  hosts: readonly Host[]
  remove(): Promise<void>
}

/** Bytes that a limited cable lets pass at once; the kernel hands on 64 KiB at a time. */
const BURST_BYTES = 256 * 1024
/** Bytes that a limited cable holds back before it drops packets, like the buffer of a switch. */
const QUEUE_BYTES = 1024 * 1024

/** Tries to make a host. @returns the reason why hosts cannot be made here, or false if they can */
export async function withoutHosts(): Promise<string | false> {
  if (process.platform !== 'linux') return 'network namespaces are of Linux only'
  try {
    // Some containers allow a namespace, but no interfaces, or no limits.
    const { hosts, remove } = await makeHosts(1)
    try {
      await hosts[0].limit(1e9)
    } finally {
      await remove()
    }
    return false
  } catch (error) {
    return `no hosts can be made here: it needs root, and iproute2 (${String(error).trim().split('\n').at(-1) ?? ''})`
  }
}

let made = 0

/** Makes hosts in namespaces of their own, each joined by a pair of virtual interfaces to a bridge in one more namespace. @param count up to 200 */
export async function makeHosts(count: number): Promise<Hosts> {
  const prefix = `herd-${process.pid}-${made++}`
  const bridge = `${prefix}-switch`
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  const created: string[] = []
  const remove = async (): Promise<void> => {
    for (const name of created.splice(0)) await ip('netns', 'delete', name)
  }
  const create = async (name: string): Promise<void> => {
    await ip('netns', 'add', name)
    created.push(name)
  }
  try {
    await create(bridge)
    await ip('-n', bridge, 'link', 'add', 'name', 'bridge', 'type', 'bridge')
    await ip('-n', bridge, 'link', 'set', 'bridge', 'up')
    for (const name of names) await create(name)
    const hosts = names.map((name, index) => hostOf(name, bridge, index))
    for (const [index, name] of names.entries()) await plugIn(name, bridge, index, hosts[index].address)
    return { hosts, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function plugIn(name: string, bridge: string, index: number, address: string): Promise<void> {
  await ip('-n', name, 'link', 'add', 'name', 'cable', 'type', 'veth', 'peer', 'name', `port${index}`, 'netns', bridge)
  await ip('-n', bridge, 'link', 'set', `port${index}`, 'master', 'bridge', 'up')
  await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable')
  await ip('-n', name, 'link', 'set', 'lo', 'up')
  await ip('-n', name, 'link', 'set', 'cable', 'up')
}

function hostOf(name: string, bridge: string, index: number): Host {
  return {
    // These addresses are reserved for documentation, so nobody has them; from inside a namespace nothing else can be reached.
    address: `192.0.2.${index + 1}`,
    launcher: ['ip', 'netns', 'exec', name],
    cable: async (plugged) => void (await ip('-n', name, 'link', 'set', 'cable', plugged ? 'up' : 'down')),
    async limit(bitsPerSecond) {
      for (const [where, device] of [[name, 'cable'], [bridge, `port${index}`]]) {
        await execute('tc', ['-n', where, 'qdisc', 'replace', 'dev', device, 'root', 'tbf', 'rate', `${Math.round(bitsPerSecond)}bit`, 'burst', String(BURST_BYTES), 'limit', String(QUEUE_BYTES)])
      }
    },
  }
}
