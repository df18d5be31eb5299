import { status, type Client, type ServiceError } from '@grpc/grpc-js'
import { presenting, secureChannel, type Access } from './client_access.ts'
import { plainText } from '../kit/fields.ts'
import { clientOptions, herdService } from './service.ts'
import { whyUnreachable } from './unreachable.ts'

/**
 * Opens a client of the coordinator with a socket of its own.
 * @param kind kind of the channel, which decides its options
 * @param agent name of the program in the HTTP/2 header user-agent, for people who inspect the traffic
 */
export function openChannel<Calls>(address: string, access: Access, kind: keyof typeof clientOptions, agent: string): Calls & Pick<Client, 'close'> {
  const secured = secureChannel(access, address)
  return new (herdService())(address, secured.credentials, {
    ...clientOptions[kind], ...secured.options, interceptors: presenting(access), 'grpc.use_local_subchannel_pool': 1, 'grpc.primary_user_agent': agent,
  }) as unknown as Calls & Pick<Client, 'close'>
}

/** Describes why a call has ended, for people. */
export function reasonOf(error: ServiceError, access: Access): string {
  if (error.code === status.UNAVAILABLE) return whyUnreachable(error.details, access)
  return plainText(error.details || error.message, 1000)
}
