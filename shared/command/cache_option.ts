import { size } from './options.ts'

/**
 * The option --cache-size. Animals-10 is 5.3 GB decoded (26,179 images, most of 300 x 225 pixels); the default of ten gigabytes has room for
 * almost as much again, and still fits a home folder with a quota. A twentieth of the disk stays free, whatever the limit.
 */
export const cacheSize = size('Limit of the file of decoded images in the cache folder, which all processes of a machine share; 0: none.', '10GB')
