/** Why a test of memory that processes share is left out; false where they can. */
export const withoutSharedMemory = process.platform === 'linux' ? false : 'processes share memory on Linux only'
