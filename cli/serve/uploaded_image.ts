import { DataError, messageOf } from '../../shared/kit/errors.ts'

/** Forms in which an image comes: its bytes as the body, or a file of a form. */
export type UploadForm = 'bytes' | 'form'

/** Finds out in which form a body comes. @param type header content-type @returns undefined if it is none of an image */
export function uploadForm(type: string | undefined): UploadForm | undefined {
  const [media] = (type ?? '').split(';')
  if (/^multipart\/form-data$/i.test(media.trim())) return 'form'
  return /^(image\/.+|application\/octet-stream)$/i.test(media.trim()) ? 'bytes' : undefined
}

/**
 * Takes the image out of a body.
 * @param type header content-type, which says where the parts of a form end
 * @throws DataError if the form cannot be read, or has not exactly one file
 */
export async function uploadedImage(body: Buffer, form: UploadForm, type: string): Promise<Buffer> {
  if (form === 'bytes') return body
  const files = (await partsOf(body, type)).filter((part) => typeof part !== 'string')
  if (files.length !== 1) throw new DataError(`The form has ${files.length} files: expected one, the image.`)
  return Buffer.from(await files[0].arrayBuffer())
}

async function partsOf(body: Buffer, type: string): Promise<(string | Blob)[]> {
  try {
    // The body is whole and bounded, so that Node's own reader of forms, which keeps all in memory, does.
    return [...(await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()).values()]
  } catch (error) {
    throw new DataError(`The form cannot be read: ${messageOf(error)}.`, { cause: error })
  }
}
