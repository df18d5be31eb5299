/**
 * Conventional exit codes of a program that ends by a signal. SIGHUP comes when the terminal, or the connection to it, is closed. (nohup does not keep it
 * away: Node.js sets every signal back to its default when it starts.)
 */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
export type StopSignal = keyof typeof exitCodes

/**
 * Lets a program end in an orderly way: the first signal is passed to `handle`, a second one ends the process at once.
 * @returns a function that removes the handlers
 */
export function onStopSignal(handle: (signal: StopSignal, exitCode: number) => void): () => void {
  let seen = false
  const handlers = (Object.keys(exitCodes) as StopSignal[]).map((signal) => {
    const listener = (): void => {
      if (seen) process.exit(exitCodes[signal])
      seen = true
      handle(signal, exitCodes[signal])
    }
    process.on(signal, listener)
    return { signal, listener }
  })
  return () => {
    for (const { signal, listener } of handlers) process.off(signal, listener)
  }
}
