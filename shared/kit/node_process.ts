/**
 * Node's own options for the daemons, as the first lines of bin/ have them. A step allocates tens of megabytes outside
 * of V8's heap; with its small initial heap V8 answers each time with a collection of everything, which costs a quarter
 * of the throughput. It must be given at start: later it has no effect.
 */
export const NODE_OPTIONS = ['--initial-old-space-size=128']

/**
 * And the environment, of the same first lines. The C library gives each thread that decodes or draws an arena of its
 * own, and keeps what was freed in it: the coordinator's memory then grows with every epoch's pictures, from 370 to
 * 540 MB. It too is read at start only.
 */
export const NODE_ENVIRONMENT = { MALLOC_ARENA_MAX: '2' }

/** Arguments of a child Node process. @param file compiled JavaScript of this project, which lies beside that of whoever starts it */
export function nodeArguments(file: string): string[] {
  return [...NODE_OPTIONS, file]
}
