import net from 'node:net'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { parseAddress } from '../../shared/command/options.ts'
import { UsageError } from '../../shared/kit/errors.ts'

/**
 * A TCP relay that passes every byte on after a delay, in both directions: latency for kernels that cannot add it (not all have netem).
 * It prints its address as JSON, and ends when its standard input ends.
 */
const { host, target, seconds } = z.object({ host: z.string(), target: z.string(), seconds: z.number().positive() }).parse(JSON.parse(process.argv[2]))
const address = parseAddress(target)
if (address === undefined) throw new UsageError(`target ${target}: expected HOST:PORT.`)

/** Most bytes under way in one direction: with more, the sender is held back. */
const MAX_ON_THE_WAY = 64 * 1024 * 1024

/** Passes bytes on in one direction, each piece when it is due. */
function delay(from: net.Socket, to: net.Socket): void {
  const line: { due: number; data: Buffer | undefined }[] = []
  let onTheWay = 0
  let timer: NodeJS.Timeout | undefined
  const handOn = (): void => {
    timer = undefined
    const now = performance.now()
    for (let first = line.at(0); first !== undefined && first.due <= now; first = line.at(0)) {
      line.shift()
      if (first.data === undefined) to.end()
      else to.write(first.data)
      onTheWay -= first.data?.length ?? 0
    }
    if (onTheWay < MAX_ON_THE_WAY && to.writableLength < MAX_ON_THE_WAY) from.resume()
    if (line.length > 0) timer = setTimeout(handOn, Math.max(0, line[0].due - now))
  }
  const put = (data: Buffer | undefined): void => {
    line.push({ due: performance.now() + seconds * 1000, data })
    onTheWay += data?.length ?? 0
    if (onTheWay >= MAX_ON_THE_WAY || to.writableLength >= MAX_ON_THE_WAY) from.pause()
    timer ??= setTimeout(handOn, seconds * 1000)
  }
  from.on('data', put)
  from.on('end', () => put(undefined))
  to.on('drain', handOn)
  from.on('error', () => to.destroy())
}

const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
  const far = net.connect({ ...address, noDelay: true, allowHalfOpen: true })
  delay(near, far)
  delay(far, near)
})
server.listen(0, host, () => process.stdout.write(`${JSON.stringify({ address: `${host}:${(server.address() as net.AddressInfo).port}` })}\n`))
createInterface(process.stdin).on('close', () => process.exit(0))
