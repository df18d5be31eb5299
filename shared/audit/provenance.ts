import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { messageOf, UsageError } from '../kit/errors.ts'
import { sha256Schema } from './chain.ts'

/** Schema of a `ChainHead`. */
export const chainHeadSchema = z.object({ step: z.int().min(0), lines: z.int().min(1), hash: sha256Schema })

/** Content of provenance.json: of what, and with what, the weights were made. */
export const provenanceSchema = z.object({
  format: z.literal(1),
  /** Name of the run's folder. */
  run: z.string(),
  datasetDigest: sha256Schema,
  /** The whole recipe, as resolved. */
  recipe: z.record(z.string(), z.unknown()),
  herd: z.object({
    version: z.string(),
    /** sha256 of package-lock.json, which pins every dependency; null in an installed package, which has none. */
    lock: sha256Schema.nullable(),
  }),
  /** Version of Node.js and platform of the coordinator. */
  node: z.string(),
  platform: z.string(),
  /** What computed; null if no worker has ever been in. */
  engine: z.object({
    kind: z.string(), version: z.string(), device: z.string(),
    /** sha256 of the wheels that the coordinator's machine has TensorFlow from; null if it is not known. */
    wheels: z.array(sha256Schema).nullable(),
  }).nullable(),
  fingerprints: z.object({
    /** Distinct numerics fingerprints of all that computed. */
    numerics: z.array(z.string()),
    /** What they did to images, and with which versions. */
    input: z.array(z.object({ fingerprint: z.string(), versions: z.string() })),
  }),
  /** End of the chain in digests.jsonl; null if the run keeps none. */
  digests: chainHeadSchema.nullable(),
})
export type Provenance = z.infer<typeof provenanceSchema>

const EXPECTED = 'expected an Ed25519 key in PEM'

/**
 * Reads a private key.
 * @returns a function that signs bytes, 64 bytes a signature
 * @throws UsageError if the file cannot be read, or is no such key
 */
export async function readSigner(option: string, file: string): Promise<(bytes: Uint8Array) => Buffer> {
  const key = await readKey(option, file, createPrivateKey, '`openssl genpkey -algorithm ed25519 -out FILE` makes one')
  return (bytes) => sign(null, bytes, key)
}

/**
 * Reads a public key.
 * @returns a function that says whether a signature of bytes is of this key
 * @throws UsageError if the file cannot be read, or is no such key
 */
export async function readVerifier(option: string, file: string): Promise<(bytes: Uint8Array, signature: Uint8Array) => boolean> {
  const key = await readKey(option, file, createPublicKey, '`openssl pkey -in KEY -pubout -out FILE` makes one of a private key')
  return (bytes, signature) => verify(null, bytes, key, signature)
}

async function readKey(option: string, file: string, parse: (pem: string) => KeyObject, advice: string): Promise<KeyObject> {
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${option} ${file} cannot be read: ${messageOf(error)}`)
  })
  let key: KeyObject
  try {
    key = parse(pem)
  } catch (error) {
    throw new UsageError(`${option} ${file}: ${EXPECTED}; ${advice} (${messageOf(error)}).`, { cause: error })
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new UsageError(`${option} ${file}: ${EXPECTED}, and this is one of ${key.asymmetricKeyType ?? 'another kind'}; ${advice}.`)
  return key
}
