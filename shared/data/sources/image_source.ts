/** Source of the samples' image files: a folder, or the coordinator with a disk cache in front of it. */
export interface ImageSource {
  /**
   * Reads the original files of samples, in the given order. Their bytes are those of the data set's manifest.
   * @param samples sample ids
   * @throws DataError that names the file that cannot be read or obtained.
   */
  read(samples: readonly number[]): Promise<Buffer[]>
}
