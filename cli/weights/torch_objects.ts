import { Callable, Opaque, PickleDictionary, PickleError, PickleTuple, type PickleHost, type PickleValue } from './pickle.ts'

/** The types of elements that a storage can have, by the names of PyTorch's classes, each under its name in safetensors. */
const storageTypes = {
  FloatStorage: { dtype: 'F32', bytes: 4 },
  DoubleStorage: { dtype: 'F64', bytes: 8 },
  HalfStorage: { dtype: 'F16', bytes: 2 },
  BFloat16Storage: { dtype: 'BF16', bytes: 2 },
  LongStorage: { dtype: 'I64', bytes: 8 },
  IntStorage: { dtype: 'I32', bytes: 4 },
  ShortStorage: { dtype: 'I16', bytes: 2 },
  CharStorage: { dtype: 'I8', bytes: 1 },
  ByteStorage: { dtype: 'U8', bytes: 1 },
  BoolStorage: { dtype: 'BOOL', bytes: 1 },
} as const
type StorageType = (typeof storageTypes)[keyof typeof storageTypes]

/** Limits of what a pickle may claim before its bytes are looked at. */
const MOST_AXES = 8
const MOST_ELEMENTS = 2 ** 31

/** A row of elements that tensors are views of. */
export class Storage extends Opaque {
  /** Name of its bytes in the file. */
  readonly key: string
  readonly dtype: StorageType['dtype']
  /** Bytes of one element, and number of elements. */
  readonly elementBytes: number
  readonly length: number

  constructor(key: string, type: StorageType, length: number) {
    super()
    this.key = key
    this.dtype = type.dtype
    this.elementBytes = type.bytes
    this.length = length
  }
}

/** A tensor: the element at index (i, j, ...) is that of the storage at offset + i strides[0] + j strides[1] + ... */
export class TorchTensor extends Opaque {
  readonly storage: Storage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly size: number

  constructor(storage: Storage, offset: number, shape: readonly number[], strides: readonly number[]) {
    super()
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
    this.size = shape.reduce((a, b) => a * b, 1)
  }
}

/**
 * Makes what pickles of PyTorch's weights may name: ordered dictionaries, tensors, parameters, and types of storages.
 * @param storages receives each storage by its key
 */
export function torchObjects(storages: Map<string, Storage>): PickleHost {
  return {
    global(module, name) {
      const known = globals.get(`${module}.${name}`)
      if (known === undefined) throw new PickleError(`it has an object of ${shortened(`${module}.${name}`)}, which only PyTorch could make, by running code: save the weights alone, as torch.save(model.state_dict(), ...)`)
      return known
    },
    persistent(id) {
      const storage = storageOf(id)
      const before = storages.get(storage.key)
      if (before !== undefined && (before.dtype !== storage.dtype || before.length !== storage.length)) throw new PickleError(`its storage ${shortened(storage.key)} is described in two ways`)
      storages.set(storage.key, before ?? storage)
      return before ?? storage
    },
  }
}

const globals = new Map<string, Callable>([
  ['collections.OrderedDict', new Callable('OrderedDict', orderedDictionary)],
  ['torch._utils._rebuild_tensor_v2', new Callable('_rebuild_tensor_v2', rebuildTensor)],
  ['torch._utils._rebuild_parameter', new Callable('_rebuild_parameter', ([tensor]) => tensorIn(tensor))],
  ['torch.Size', new Callable('Size', ([size]) => (size instanceof PickleTuple ? size : new PickleTuple(Array.isArray(size) ? size : [])))],
  ...Object.keys(storageTypes).map((name): [string, Callable] => [`torch.${name}`, new Callable(name)]),
])

function orderedDictionary(given: readonly PickleValue[]): PickleDictionary {
  const dictionary = new PickleDictionary()
  const [pairs = []] = given
  if (given.length > 1 || !Array.isArray(pairs)) throw new PickleError('its pickle makes an ordered dictionary of something else than pairs')
  for (const pair of pairs) {
    const items = pair instanceof PickleTuple ? pair.items : Array.isArray(pair) ? pair : []
    if (items.length !== 2) throw new PickleError('its pickle makes an ordered dictionary of something else than pairs')
    dictionary.entries.set(items[0], items[1])
  }
  return dictionary
}

/** Arguments: storage, offset, shape, strides, and what matters to training alone. */
function rebuildTensor([storage, offset, shape, strides]: readonly PickleValue[]): TorchTensor {
  if (!(storage instanceof Storage) || !isCount(offset)) throw new PickleError('its pickle makes a tensor of something else than a storage')
  const sizes = countsIn(shape)
  const steps = countsIn(strides)
  if (sizes.length !== steps.length || sizes.length > MOST_AXES) throw new PickleError(`it has a tensor with ${sizes.length} sizes and ${steps.length} strides`)
  const tensor = new TorchTensor(storage, offset, sizes, steps)
  const last = sizes.reduce((sum, size, axis) => sum + (size - 1) * steps[axis], offset)
  if (tensor.size > storage.length || (tensor.size > 0 && last >= storage.length)) throw new PickleError(`it has a tensor of shape [${sizes.join(', ')}] with strides [${steps.join(', ')}] at ${offset}, which does not fit its storage of ${storage.length} elements`)
  return tensor
}

function tensorIn(value: PickleValue | undefined): TorchTensor {
  if (!(value instanceof TorchTensor)) throw new PickleError('its pickle makes a parameter of what is no tensor')
  return value
}

/** A persistent id is ('storage', type, key, place, number of elements), and in older files a sixth value, the part of another storage that it is. */
function storageOf(id: PickleValue): Storage {
  const [word, type, key, , length, part = null] = id instanceof PickleTuple ? id.items : []
  if (word !== 'storage' || !(type instanceof Callable) || !Object.hasOwn(storageTypes, type.name) || typeof key !== 'string' || !isCount(length)) throw new PickleError('its pickle refers to something else than a storage')
  if (part !== null) throw new PickleError(`its storage ${shortened(key)} is a part of another one, as PyTorch before 0.4 wrote them: load and save it with a newer PyTorch`)
  return new Storage(key, storageTypes[type.name as keyof typeof storageTypes], length)
}

function countsIn(value: PickleValue | undefined): number[] {
  const items = value instanceof PickleTuple ? value.items : Array.isArray(value) ? value : [null]
  if (!items.every(isCount)) throw new PickleError('it has a tensor whose shape or strides are not whole numbers')
  return [...items]
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < MOST_ELEMENTS
}

/** A text of the file as it may stand in a sentence: quoted, and not long. */
export function shortened(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}
