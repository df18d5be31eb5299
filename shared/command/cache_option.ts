import { size } from './options.ts'

/**
 * The option --cache-size. Its default of ten gigabytes holds Animals-10 almost twice, which is 5.3 GB decoded (26,179 images, most of
 * 300 x 225 pixels), and still fits a home folder with a quota. Whatever the limit, a twentieth of the disk stays free.
 */
export const cacheSize = size('Limit of the file of decoded images in the cache folder, which all processes of a machine share; 0: none.', '10GB')
