/** What machines compute alike, whatever their processor and their Node.js: recorded on x86-64; wasm and input were found again on ARM64 by test/cluster/arm64.test.ts. */
export const EVERYWHERE = {
  /** Numerics fingerprint of wasm. */
  wasm: '8d24c2684678f2ef',
  /** Numerics fingerprint of native TensorFlow 2.18.1 with portable numerics, on processors with AVX2. */
  portable: '22496e0aa1e74e9f',
  /** Input fingerprint of the article's transforms. */
  input: 'b6154a90e5f14e97',
} as const
