/** Beginning of the reason of every test that is skipped for want of a GPU: the only tests that may be skipped under CI=true. */
export const GPU_REASON = 'GPU: '
