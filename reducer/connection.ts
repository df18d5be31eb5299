import { status, type ClientDuplexStream, type ClientReadableStream, type ClientWritableStream, type ServiceError } from '@grpc/grpc-js'
import { messageOf, ProtocolError, RunError } from '../shared/kit/errors.ts'
import { drained } from '../shared/kit/drained.ts'
import { openChannel, reasonOf } from '../shared/wire/channel.ts'
import type { Access } from '../shared/wire/client_access.ts'
import { checked, reductionMessageSchema, stateChunkSchema, type ReducerMessage, type ReductionMessage, type StateChunk } from '../shared/wire/messages.ts'
import type { ReducerLink } from './link.ts'

interface Calls {
  reduce(): ClientDuplexStream<ReducerMessage, unknown>
  fetchState(request: { session: string }): ClientReadableStream<unknown>
  sendState(callback: (error: ServiceError | null) => void): ClientWritableStream<StateChunk>
  close(): void
}

/**
 * A reducer's three connections to its coordinator: control messages, states down, states up. Small messages never wait behind megabytes,
 * and megabytes in one direction never wait for those in the other.
 */
export class ReducerConnection implements ReducerLink {
  readonly lost: Promise<string>
  readonly #access: Access
  readonly #channels: Calls[]
  readonly #control: ClientDuplexStream<ReducerMessage, unknown>
  #lose: (reason: string) => void = () => undefined
  #accuse: (error: unknown) => void = () => undefined

  constructor(coordinator: string, access: Access, onMessage: (message: ReductionMessage) => void) {
    this.#access = access
    this.lost = new Promise((resolve, reject) => {
      this.#lose = resolve
      this.#accuse = reject
    })
    this.lost.catch(() => undefined)
    this.#channels = (['control', 'down', 'up'] as const).map((kind) => openChannel<Calls>(coordinator, access, kind, `herd-reducer-${kind}`))
    this.#control = this.#channels[0].reduce()
    this.#control.on('data', (raw: unknown) => {
      try {
        onMessage(checked(reductionMessageSchema, raw, 'a message of the coordinator'))
      } catch (error) {
        this.#accuse(error)
      }
    })
    this.#control.on('error', (error: ServiceError) => {
      // Trying again with the same token would be useless.
      if (error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED) this.#accuse(new RunError(error.details))
      else this.#lose(reasonOf(error, access))
    })
    this.#control.on('end', () => this.#lose('the coordinator closed the connection'))
  }

  send(message: ReducerMessage): void {
    this.#control.write(message)
  }

  async *fetchState(session: string): AsyncGenerator<StateChunk> {
    const call = this.#channels[1].fetchState({ session })
    try {
      for await (const raw of call as AsyncIterable<unknown>) yield checked(stateChunkSchema, raw, 'a chunk of a state')
    } catch (error) {
      if (error instanceof ProtocolError) throw error
      throw new RunError(`the coordinator does not send the weights: ${reasonOf(error as ServiceError, this.#access)}`)
    } finally {
      call.cancel()
    }
  }

  async sendState(chunks: Iterable<StateChunk>): Promise<void> {
    const call = this.#channels[2].sendState((error) => {
      if (error !== null) this.#lose(reasonOf(error, this.#access))
    })
    call.on('error', (error: Error) => this.#lose(messageOf(error)))
    for (const chunk of chunks) {
      if (call.destroyed) return
      if (!call.write(chunk)) await drained(call)
    }
    call.end()
  }

  close(): void {
    this.#lose('the reducer closed the connection')
    this.#control.end()
    for (const channel of this.#channels) channel.close()
  }
}
