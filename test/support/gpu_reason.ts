/** Beginning of the reason of every test that is skipped for the sake of a GPU: the only ones that may be skipped under CI=true. */
export const GPU_REASON = 'GPU: '
