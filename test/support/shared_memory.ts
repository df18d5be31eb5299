/** Reason why tests of memory shared between processes are skipped here; false if processes can share memory. */
export const withoutSharedMemory = process.platform === 'linux' ? false : 'processes share memory on Linux only'
