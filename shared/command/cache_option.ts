import { size } from './options.ts'

/**
 * Ten gigabytes hold all of Animals-10, which is 5.3 GB decoded (26,179 images, most of 300 x 225), and as much again; they are no more
 * than a home folder with a quota can bear, and a disk keeps a twentieth free in any case.
 */
export const cacheSize = size('Limit of the file of decoded images in the cache folder, which all processes of a machine share; 0: none.', '10GB')
