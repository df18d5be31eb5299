import type { DaemonObserver } from '../../worker/daemon.ts'

const ignore = (): undefined => undefined

/** An observer that ignores everything. */
export const unobserved: DaemonObserver = {
  onLane: ignore, onSpan: ignore, onQueue: ignore, onImage: ignore, onImageCache: ignore, pixelCache: { onRead: ignore, onWrite: ignore, onDamage: ignore }, onJoined: ignore, onLeft: ignore, onTraffic: ignore, onMemory: ignore,
}
