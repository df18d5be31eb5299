/** Number of images that a loop over all of them deals with before others (signals, heartbeats) have their turn. */
export const SLICE = 4096
