/**
 * Node's options for the daemons, the same as in the first lines of the programs in bin/. A step allocates tens of megabytes outside of V8's
 * heap; if the initial heap is small, V8 answers each allocation with a full garbage collection, which costs a quarter of the throughput. Node
 * reads the option at start only.
 */
export const NODE_OPTIONS = ['--initial-old-space-size=128']

/**
 * Environment for the daemons, also as in bin/. The C library gives each thread that decodes or draws an arena of its own and keeps freed memory
 * in it: the coordinator's memory would grow with every epoch's pictures, from 370 to 540 MB. The C library reads the variable at start only.
 */
export const NODE_ENVIRONMENT = { MALLOC_ARENA_MAX: '2' }

/**
 * Builds the arguments of a child Node process.
 * @param file compiled JavaScript of this project
 */
export function nodeArguments(file: string): string[] {
  return [...NODE_OPTIONS, file]
}

/** Removes options of a program (HERD_EPOCHS, ...) from the environment for another one; the cache folder is shared. */
export function withoutOptions(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('HERD_') || name === 'HERD_CACHE'))
}
