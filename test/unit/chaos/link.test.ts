import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import test from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { FaultyLink } from '../../chaos/link.ts'

/** Starts a server that sends everything back, and a link to it. @returns the link, and a function that connects clients through it */
async function echo(): Promise<{ link: FaultyLink; connect: () => net.Socket; close: () => Promise<void> }> {
  const sockets: net.Socket[] = []
  const keep = (socket: net.Socket): void => {
    sockets.push(socket)
    socket.on('error', () => undefined)
  }
  const server = net.createServer((socket) => {
    keep(socket)
    socket.on('data', (data) => socket.write(data))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const link = await FaultyLink.open((server.address() as net.AddressInfo).port)
  return {
    link,
    connect: () => {
      const socket = net.connect(Number(link.address.split(':')[1]), '127.0.0.1')
      keep(socket)
      return socket
    },
    close: async () => {
      await link.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Waits until a socket is closed. `events.once` would fail at the error that comes with a reset. */
const closed = (socket: net.Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))

const answerTo = async (socket: net.Socket, text: string): Promise<string> => {
  socket.write(text)
  const [data] = (await once(socket, 'data')) as [Buffer]
  return data.toString()
}

test('a partition holds every byte, also of connections made in it, and what was held arrives when it heals', async () => {
  const { link, connect, close } = await echo()
  const before = connect()
  assert.equal(await answerTo(before, 'one'), 'one')
  link.silence()
  const within = connect()
  const answers = Promise.all([answerTo(before, 'two'), answerTo(within, 'three')])
  let healed = false
  void answers.then(() => assert.ok(healed, 'bytes passed the partition'))
  for (let turn = 0; turn < 100; turn++) await nextTurn()
  healed = true
  link.heal()
  assert.deepEqual(await answers, ['two', 'three'])
  await close()
})

test('a cut resets connections and refuses new ones until it heals', async () => {
  const { link, connect, close } = await echo()
  const first = connect()
  assert.equal(await answerTo(first, 'one'), 'one')
  const lost = closed(first)
  link.cut()
  await lost
  await closed(connect())
  link.heal()
  assert.equal(await answerTo(connect(), 'two'), 'two')
  await close()
})

test('connections that end while bytes still come the other way leave no socket behind', async () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'TCPSocketWrap').length
  const { link, connect, close } = await echo()
  for (let number = 0; number < 20; number++) {
    const client = connect()
    await answerTo(client, 'one')
    client.end(Buffer.alloc(100_000 * (number + 1)))
    client.resume()
    await closed(client)
  }
  link.cut()
  await close()
  // Closing takes a few turns of the event loop; if a socket is left behind, the test times out.
  while (sockets() > 0) await nextTurn()
})
