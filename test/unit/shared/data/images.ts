import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp, { type Sharp } from 'sharp'

/** Makes a folder for one test. @returns it with a function that removes it */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'herd-data-'))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** Makes a picture that is different for each `seed`: a gradient with noise, which no format compresses to nothing. */
export function picture(seed = 0, width = 24, height = 18): Sharp {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) data[i] = (i * 31 + seed * 57 + ((i * (i + seed)) >> 5)) & 255
  return sharp(data, { raw: { width, height, channels: 3 } })
}

export async function put(root: string, path: string, bytes: Buffer | string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), bytes)
}

/** Writes a small JPEG, different for each path, at each of the paths. */
export async function putImages(root: string, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const seed = [...path].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 9973, 7)
    await put(root, path, await picture(seed).jpeg().toBuffer())
  }
}

/** Paths of a class: class/0.jpg, class/1.jpg, ... */
export function numbered(className: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${className}/${i}.jpg`)
}
