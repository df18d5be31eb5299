import http2 from 'node:http2'

/** Limits for every peer, known or not, which the HTTP/2 layer enforces by itself. */
const settings: http2.Settings = {
  // A worker needs few: one stream for control; on its other connections those for weights, gradients, the manifest and images.
  maxConcurrentStreams: 128,
  maxHeaderListSize: 16 * 1024,
}
const limits: http2.ServerOptions = { settings, maxHeaderListPairs: 64 }

/**
 * Runs an action; HTTP/2 servers that are created during it get the limits above. grpc-js has options for some of the limits
 * only and gives no access to its servers, so the factory functions of node:http2 are wrapped while it creates one.
 * @param onSession called with each new session of these servers
 * @param action must create its servers synchronously
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
      // Both ends are Herd, so nothing older than TLS 1.3 is needed.
      createSecureServer: (options: http2.SecureServerOptions) => watched(createSecureServer({ ...options, ...limits, minVersion: 'TLSv1.3' })),
    })
    return action()
  } finally {
    Object.assign(http2, { createServer, createSecureServer })
  }
}
