import http2 from 'node:http2'

/** What any peer may take up, known or not, before the HTTP/2 layer turns it down by itself. */
const settings: http2.Settings = {
  // A worker has one stream on its control connection; on the other weights, gradients, and requests for images.
  maxConcurrentStreams: 128,
  maxHeaderListSize: 16 * 1024,
}
const limits: http2.ServerOptions = { settings, maxHeaderListPairs: 64 }

/**
 * Runs an action during which HTTP/2 servers that are made get the limits above. grpc-js has options for some of them
 * only, and hands its servers out to nobody; its server is ours to configure, so the factory functions are wrapped for
 * as long as it makes one.
 * @param action makes servers at once, not later.
 * @param onSession is told each session of these servers.
 */
export function withLimitedHttp2<T>(onSession: (session: http2.ServerHttp2Session) => void, action: () => T): T {
  const { createServer, createSecureServer } = http2
  const watched = <S extends http2.Http2Server | http2.Http2SecureServer>(server: S): S => {
    server.on('session', onSession)
    return server
  }
  try {
    Object.assign(http2, {
      createServer: (options: http2.ServerOptions) => watched(createServer({ ...options, ...limits })),
      createSecureServer: (options: http2.SecureServerOptions) => watched(createSecureServer({ ...options, ...limits })),
    })
    return action()
  } finally {
    Object.assign(http2, { createServer, createSecureServer })
  }
}
