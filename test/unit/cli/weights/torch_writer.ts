import { crc32 } from 'node:zlib'

/** A small writer of what torch.save writes, instruction by instruction, so that tests have files of every kind without PyTorch. */

/** A tensor to write: its storage, and which elements of it. */
export interface Written {
  name: string
  storage: { key: string; type: string; bytes: Buffer; length: number }
  offset: number
  shape: number[]
  strides: number[]
}

/** A row-major tensor of float32 values with a storage of its own. */
export function floats(name: string, shape: number[], values: number[]): Written {
  return { name, storage: { key: name, type: 'FloatStorage', bytes: Buffer.from(Float32Array.from(values).buffer), length: values.length }, offset: 0, shape, strides: shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1)) }
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from('X'), uint32(bytes.length), bytes])
}

export function int(value: number): Buffer {
  return Buffer.concat([Buffer.from('J'), uint32(value)])
}

export function tuple(...items: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')])
}

export function global(module: string, name: string): Buffer {
  return Buffer.from(`c${module}\n${name}\n`)
}

export function call(called: Buffer, ...given: Buffer[]): Buffer {
  return Buffer.concat([called, tuple(...given), Buffer.from('R')])
}

export function pickle(...parts: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from('.')])
}

export function dictionary(items: [Buffer, Buffer][]): Buffer {
  return Buffer.concat([Buffer.from('}('), ...items.flat(), Buffer.from('u')])
}

const NONE = Buffer.from('N')
const FALSE = Buffer.from([0x89])

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function tensor({ storage, offset, shape, strides }: Written, legacy: boolean): Buffer {
  const id = tuple(text('storage'), global('torch', storage.type), text(storage.key), text('cpu'), int(storage.length), ...(legacy ? [NONE] : []))
  return call(global('torch._utils', '_rebuild_tensor_v2'), Buffer.concat([id, Buffer.from('Q')]), int(offset), tuple(...shape.map(int)), tuple(...strides.map(int)), FALSE, call(global('collections', 'OrderedDict')))
}

/** An ordered dictionary with attributes, as a state_dict is. */
export function stateDict(tensors: readonly Written[], legacy = false): Buffer {
  const items = tensors.map((each): [Buffer, Buffer] => [text(each.name), tensor(each, legacy)])
  const empty = call(global('collections', 'OrderedDict'))
  return Buffer.concat([empty, Buffer.from('('), ...items.flat(), Buffer.from('u'), dictionary([[text('_metadata'), empty]]), Buffer.from('b')])
}

/** A zip archive whose entries are stored. */
export function zip(entries: readonly [string, Buffer][], method = 0): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, content] of entries) {
    const header = Buffer.alloc(30)
    header.writeUInt32LE(0x04034b50)
    header.writeUInt16LE(name.length, 26)
    const listed = Buffer.alloc(46)
    listed.writeUInt32LE(0x02014b50)
    listed.writeUInt16LE(method, 10)
    for (const [place, value] of [[16, crc32(content)], [20, content.length], [24, content.length], [42, at]]) listed.writeUInt32LE(value, place)
    listed.writeUInt16LE(name.length, 28)
    directory.push(listed, Buffer.from(name))
    parts.push(header, Buffer.from(name), content)
    at += 30 + name.length + content.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50)
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, ...directory, end])
}

/** A file as PyTorch writes it since 1.6. @param value what was saved, as instructions */
export function archive(tensors: readonly Written[], value: Buffer = stateDict(tensors)): Buffer {
  return zip([['weights/data.pkl', pickle(value)], ['weights/byteorder', Buffer.from('little')], ...storagesOf(tensors).map(({ key, bytes }): [string, Buffer] => [`weights/data/${key}`, bytes]), ['weights/version', Buffer.from('3\n')]])
}

/** A file as PyTorch wrote it before 1.6. */
export function legacy(tensors: readonly Written[]): Buffer {
  const storages = storagesOf(tensors)
  const magic = pickle(Buffer.from([0x8a, 10]), Buffer.from('6cfc9c46f9206aa85019', 'hex'))
  const machine = dictionary([[text('protocol_version'), int(1001)], [text('little_endian'), Buffer.from([0x88])]])
  const keys = Buffer.concat([Buffer.from(']('), ...storages.map(({ key }) => text(key)), Buffer.from('e')])
  const content = storages.flatMap(({ length, bytes }) => [Buffer.from(BigInt64Array.of(BigInt(length)).buffer), bytes])
  return Buffer.concat([magic, pickle(int(1001)), pickle(machine), pickle(stateDict(tensors, true)), pickle(keys), ...content])
}

function storagesOf(tensors: readonly Written[]): Written['storage'][] {
  return [...new Map(tensors.map(({ storage }) => [storage.key, storage])).values()]
}
