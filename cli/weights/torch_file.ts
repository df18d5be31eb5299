import { readFile, stat } from 'node:fs/promises'
import { floatsFrom, isFloatType, type FloatType } from '../../shared/checkpoint/elements.ts'
import { METADATA_KEY, type NamedTensor } from '../../shared/checkpoint/safetensors.ts'
import { messageOf, RunError } from '../../shared/kit/errors.ts'
import { PickleDictionary, PickleError, readPickle, type PickleValue } from './pickle.ts'
import { shortened, torchObjects, TorchTensor, type Storage } from './torch_objects.ts'
import { isZip, openZip, ZipError } from './zip_archive.ts'

/** Weights of a file that PyTorch has written. */
export interface TorchWeights {
  /** Tensors of floating-point numbers as float32, in the order of the file, with elements in row-major order. */
  tensors: NamedTensor[]
  /** Names of tensors that hold no floating-point numbers, such as batch norm's num_batches_tracked. */
  passedOver: string[]
  /** Name of the part of the file that holds the weights, where the file has more, as checkpoints of a training do. */
  part: string | undefined
}

/** Limit of a file in bytes. */
const LARGEST_FILE = 2 ** 31 - 1
/**
 * Limit of all that is made of a file, as a multiple of its bytes: float16 takes two, a storage is converted before its tensors are copied out of
 * it, and several names can share weights.
 */
const MOST_TIMES_LARGER = 8
const LONGEST_NAME = 512

/** Names under which checkpoints of a training keep the weights. */
const PARTS = ['state_dict', 'model_state_dict', 'model']

/** The numbers with which files begin that PyTorch before 1.6 wrote. */
const MAGIC = 0x1950a86a20f9469cfc6cn
const LEGACY_PROTOCOL = 1001

/**
 * Reads the weights of a PyTorch file (torch.save of a state_dict, or of a dictionary that has one) without PyTorch, and without running anything
 * that the file says.
 * @throws RunError that names the file and says what is wrong with it
 */
export async function readTorchFile(file: string): Promise<TorchWeights> {
  let bytes: Buffer
  try {
    const { size } = await stat(file)
    if (size > LARGEST_FILE) throw new RunError(`it has ${size} bytes, more than the ${LARGEST_FILE} that are read`)
    bytes = await readFile(file)
  } catch (error) {
    throw new RunError(`${file} cannot be read: ${messageOf(error)}.`, { cause: error })
  }
  try {
    return torchWeights(bytes)
  } catch (error) {
    if (!(error instanceof PickleError || error instanceof ZipError)) throw error
    throw new RunError(`${file} cannot be used as weights of PyTorch: ${error.message}.`, { cause: error })
  }
}

/** Reads the weights of a PyTorch file from its bytes. @throws PickleError or ZipError, without the name of the file */
export function torchWeights(bytes: Buffer): TorchWeights {
  const { value, contents } = isZip(bytes) ? readArchive(bytes) : readLegacy(bytes)
  const { dictionary, part } = weightsIn(value)

  let left = bytes.length * MOST_TIMES_LARGER
  const spend = (elements: number): void => {
    left -= elements * Float32Array.BYTES_PER_ELEMENT
    if (left < 0) throw new PickleError('its tensors are larger than what a file of its size can hold')
  }
  const floats = new Map<Storage, Float32Array>()
  const floatsOfStorage = (storage: FloatStorage): Float32Array => {
    const known = floats.get(storage)
    if (known !== undefined) return known
    spend(storage.length)
    const values = floatsFrom(storage.dtype, contents(storage))
    floats.set(storage, values)
    return values
  }
  const tensors: NamedTensor[] = []
  const passedOver: string[] = []
  for (const [name, tensor] of dictionary.entries) {
    if (typeof name !== 'string' || !(tensor instanceof TorchTensor)) throw new PickleError(`beside tensors, it has ${typeof name === 'string' ? shortened(name) : 'a key that is no text'}, which is none`)
    if (name === '' || name.length > LONGEST_NAME || name === METADATA_KEY || name === '__proto__') throw new PickleError(`it has a tensor whose name cannot be used: ${shortened(name)}`)
    const { storage, size, shape } = tensor
    if (isFloat(storage)) {
      spend(size)
      tensors.push({ name, shape, values: gathered(floatsOfStorage(storage), tensor) })
    } else {
      passedOver.push(name)
    }
  }
  return { tensors, passedOver, part }
}

/** A storage that weights can be read from. */
type FloatStorage = Storage & { dtype: FloatType }

/** A pickle's value, and what gives the bytes of its storages. */
interface Contents {
  value: PickleValue
  contents: (storage: Storage) => Buffer
}

/** Reads what PyTorch writes since 1.6: a zip archive NAME/data.pkl, NAME/byteorder, NAME/data/KEY. */
function readArchive(bytes: Buffer): Contents {
  const archive = openZip(bytes)
  const pickle = archive.names.find((name) => /^[^/]+\/data\.pkl$/.test(name))
  const folder = pickle?.slice(0, -'/data.pkl'.length) ?? ''
  if (pickle === undefined) throw new ZipError('it is a zip archive without data.pkl, which is where PyTorch keeps names')
  if (archive.names.some((name) => name.startsWith(`${folder}/code/`))) throw new ZipError('it is a program of TorchScript: save the weights alone, as torch.save(model.state_dict(), ...)')
  const order = archive.read(`${folder}/byteorder`)?.toString('latin1') ?? 'little'
  if (order !== 'little') throw new ZipError(`its byte order is ${shortened(order)} and not little`)
  const { value } = readPickle(archive.read(pickle) ?? Buffer.alloc(0), torchObjects(new Map()))
  return {
    value,
    contents: (storage) => {
      const content = archive.read(`${folder}/data/${storage.key}`)
      const expected = storage.length * storage.elementBytes
      if (content === undefined) throw new ZipError(`its storage ${shortened(storage.key)} is missing`)
      if (content.length !== expected) throw new ZipError(`its storage ${shortened(storage.key)} has ${content.length} bytes instead of ${expected}`)
      return content
    },
  }
}

/** Reads what PyTorch wrote before 1.6: pickles of a magic number, a version, the machine, the object and the storages' keys, then each storage. */
function readLegacy(bytes: Buffer): Contents {
  let at = 0
  const storages = new Map<string, Storage>()
  const host = torchObjects(storages)
  const next = (): PickleValue => {
    const { value, length } = readPickle(bytes.subarray(at), host)
    at += length
    return value
  }
  let magic: PickleValue
  try {
    magic = next()
  } catch (error) {
    throw new PickleError('it does not begin as a file of PyTorch does', { cause: error })
  }
  if (magic !== MAGIC) throw new PickleError('it does not begin as a file of PyTorch does')
  const protocol = next()
  if (protocol !== LEGACY_PROTOCOL) throw new PickleError('it has another version of the format than 1001')
  const machine = next()
  if (!(machine instanceof PickleDictionary) || machine.entries.get('little_endian') !== true) throw new PickleError('its byte order is not little')
  const value = next()
  const keys = next()
  if (!Array.isArray(keys)) throw new PickleError('its list of storages is missing')

  const found = new Map<string, Buffer>()
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined
    if (storage === undefined || found.has(storage.key)) throw new PickleError('its list of storages is not that of its tensors')
    const begin = at + 8
    const end = begin + storage.length * storage.elementBytes
    if (end > bytes.length) throw new PickleError(`it is cut off in its storage ${shortened(storage.key)}`)
    if (bytes.readBigUInt64LE(at) !== BigInt(storage.length)) throw new PickleError(`its storage ${shortened(storage.key)} is described in two ways`)
    found.set(storage.key, bytes.subarray(begin, end))
    at = end
  }
  if (at !== bytes.length) throw new PickleError(`${bytes.length - at} bytes follow its last storage`)
  return {
    value,
    contents: ({ key }) => {
      const content = found.get(key)
      if (content === undefined) throw new PickleError(`its storage ${shortened(key)} is missing`)
      return content
    },
  }
}

/** Finds the dictionary of tensors: the whole, or the part of it that checkpoints keep weights in. */
function weightsIn(value: PickleValue): { dictionary: PickleDictionary; part: string | undefined } {
  if (value instanceof PickleDictionary) {
    if (holdsTensors(value)) return { dictionary: value, part: undefined }
    for (const part of PARTS) {
      const inside = value.entries.get(part)
      if (inside instanceof PickleDictionary && holdsTensors(inside)) return { dictionary: inside, part }
    }
  }
  const keys = value instanceof PickleDictionary ? [...value.entries.keys()].filter((key) => typeof key === 'string').slice(0, 5) : []
  const found = keys.length === 0 ? '' : `; it has ${keys.map(shortened).join(', ')}`
  throw new PickleError(`it has no dictionary of tensors, neither as the whole nor as ${PARTS.join(', ')}${found}: save the weights alone, as torch.save(model.state_dict(), ...)`)
}

function holdsTensors(dictionary: PickleDictionary): boolean {
  return [...dictionary.entries.values()].some((value) => value instanceof TorchTensor)
}

function isFloat(storage: Storage): storage is FloatStorage {
  return isFloatType(storage.dtype)
}

/** Copies a tensor's elements out of its storage, in row-major order. */
function gathered(storage: Float32Array, { offset, shape, strides, size }: TorchTensor): Float32Array {
  const values = new Float32Array(size)
  const index = shape.map(() => 0)
  let from = offset
  for (let to = 0; to < size; to++) {
    values[to] = storage[from]
    // Counts the index up by one, as a clock does: the last axis first.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]
      if (++index[axis] < shape[axis]) break
      from -= strides[axis] * shape[axis]
      index[axis] = 0
    }
  }
  return values
}
