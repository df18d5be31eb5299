import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const ip = (...args: string[]): Promise<unknown> => execute('ip', args)

/** Two hosts on this machine, with a cable between them: Linux network namespaces and a pair of virtual interfaces. */
export interface TwoHosts {
  /** Address of the first host, as the second one sees it. */
  address: string
  /** What runs a program on a host: a command in front of its own. */
  launchers: [string[], string[]]
  /** Pulls the cable, or plugs it in again. */
  cable(plugged: boolean): Promise<void>
  remove(): Promise<void>
}

/** @returns why two hosts cannot be made here, or false. */
export async function withoutTwoHosts(): Promise<string | false> {
  if (process.platform !== 'linux') return 'network namespaces are of Linux only'
  const name = `herd-try-${process.pid}`
  try {
    await ip('netns', 'add', name)
  } catch (error) {
    return `no network namespace can be made here: it needs root, and iproute2 (${String(error).split('\n').at(-2) ?? String(error)})`
  }
  // Some containers allow a namespace, but no interfaces.
  try {
    await ip('-n', name, 'link', 'add', 'name', 'herd0', 'type', 'veth', 'peer', 'name', 'herd1')
    return false
  } catch (error) {
    return `no virtual interfaces can be made here: ${String(error)}`
  } finally {
    await ip('netns', 'delete', name)
  }
}

export async function makeTwoHosts(): Promise<TwoHosts> {
  const [first, second] = ['a', 'b'].map((letter) => `herd-${letter}-${process.pid}`)
  await ip('netns', 'add', first)
  await ip('netns', 'add', second)
  await ip('-n', first, 'link', 'add', 'name', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', second)
  // Addresses that are kept free for documentation: they are nobody's, and in here nobody else can be reached.
  for (const [host, address] of [[first, '192.0.2.1'], [second, '192.0.2.2']]) {
    await ip('-n', host, 'address', 'add', `${address}/30`, 'dev', 'cable')
    await ip('-n', host, 'link', 'set', 'lo', 'up')
    await ip('-n', host, 'link', 'set', 'cable', 'up')
  }
  return {
    address: '192.0.2.1',
    launchers: [['ip', 'netns', 'exec', first], ['ip', 'netns', 'exec', second]],
    cable: async (plugged) => void (await ip('-n', first, 'link', 'set', 'cable', plugged ? 'up' : 'down')),
    async remove() {
      await ip('netns', 'delete', first)
      await ip('netns', 'delete', second)
    },
  }
}
