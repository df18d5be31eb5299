import { RunError } from '../../shared/kit/errors.ts'

/**
 * A pickle is a program for a stack machine, which in Python may call any function of any module. This machine knows the few instructions that
 * numbers, texts, lists and dictionaries are made of, and hands each name of a function or class to its caller, which decides what it stands for.
 * So nothing that a file says is ever run: what the caller does not know ends the reading.
 */

/** What a pickle says that this machine cannot or will not take, without the name of the file. */
export class PickleError extends RunError {}

export type PickleValue = null | boolean | number | bigint | string | PickleValue[] | PickleTuple | PickleDictionary | Callable | Opaque

/** A tuple, which unlike a list does not change. */
export class PickleTuple {
  readonly items: readonly PickleValue[]
  constructor(items: readonly PickleValue[]) {
    this.items = items
  }
}

/** A dictionary, ordered or not, in the order in which it was filled. */
export class PickleDictionary {
  readonly entries = new Map<PickleValue, PickleValue>()
}

/** What the name of a function or class stands for. */
export class Callable {
  readonly name: string
  /** Makes the value of a call; undefined: the name only stands for itself, as the type of a storage does. */
  readonly call: ((given: readonly PickleValue[]) => PickleValue) | undefined
  constructor(name: string, call?: (given: readonly PickleValue[]) => PickleValue) {
    this.name = name
    this.call = call
  }
}

/** A value of the caller's, such as a tensor, which the machine only passes on. */
export class Opaque {}

export interface PickleHost {
  /** @returns what a name of Python stands for @throws PickleError if it is not known */
  global(module: string, name: string): Callable
  /** @returns what a persistent id, such as that of a storage, stands for @throws PickleError if it stands for nothing */
  persistent(id: PickleValue): PickleValue
}

/** Limit of a text or a number in bytes; names of parameters have tens. */
const LARGEST_TEXT = 1 << 20
const HIGHEST_PROTOCOL = 5

const MARK = Symbol('mark')
type Slot = PickleValue | typeof MARK

/**
 * Runs one pickle.
 * @param bytes begins with the pickle; more may follow
 * @returns its value, and the number of bytes that it has
 * @throws PickleError if it is damaged, or does what plain data does not need
 */
export function readPickle(bytes: Buffer, host: PickleHost): { value: PickleValue; length: number } {
  const reader = new Reader(bytes)
  const machine = new Machine(reader, host)
  while (true) {
    const code = reader.uint(1)
    if (code === STOP) return { value: machine.result(), length: reader.at }
    const instruction = instructions.get(code)
    if (instruction === undefined) throw new PickleError(`its pickle has the instruction 0x${code.toString(16).padStart(2, '0')} at byte ${reader.at - 1}, which plain weights do not need`)
    instruction(machine)
  }
}

class Reader {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Takes the next bytes: a view. @throws PickleError if there are not as many */
  take(count: number): Buffer {
    if (count > this.#bytes.length - this.at) throw new PickleError('its pickle ends too early')
    this.at += count
    return this.#bytes.subarray(this.at - count, this.at)
  }

  uint(size: number): number {
    return this.take(size).readUIntLE(0, size)
  }

  text(length: number): string {
    if (length > LARGEST_TEXT) throw new PickleError(`its pickle has a text of ${length} bytes`)
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.take(length))
    } catch (error) {
      if (error instanceof PickleError) throw error
      throw new PickleError('its pickle has a text that is not UTF-8', { cause: error })
    }
  }

  /** Takes a line, without its end. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at)
    if (end === -1) throw new PickleError('its pickle ends too early')
    const text = this.text(end - this.at)
    this.at += 1
    return text
  }

  /** Takes an integer in two's complement. */
  integer(size: number): number | bigint {
    if (size > LARGEST_TEXT) throw new PickleError(`its pickle has a number of ${size} bytes`)
    const bytes = this.take(size)
    if (size === 0) return 0
    const value = BigInt.asIntN(size * 8, BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`))
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value
  }
}

class Machine {
  readonly reader: Reader
  readonly host: PickleHost
  readonly #stack: Slot[] = []
  readonly #memo = new Map<number, PickleValue>()

  constructor(reader: Reader, host: PickleHost) {
    this.reader = reader
    this.host = host
  }

  push(value: Slot): void {
    this.#stack.push(value)
  }

  pop(): PickleValue {
    const value = this.#stack.pop()
    if (value === undefined || value === MARK) throw new PickleError('its pickle takes a value from where none is')
    return value
  }

  /** Takes the values down to the last mark, in their order. */
  popToMark(): PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK)
    if (mark === -1) throw new PickleError('its pickle takes values down to a mark that is not there')
    const values = this.#stack.splice(mark)
    return values.slice(1) as PickleValue[]
  }

  popText(): string {
    const value = this.pop()
    if (typeof value !== 'string') throw new PickleError('its pickle has something else where a name is expected')
    return value
  }

  top(): PickleValue {
    const value = this.#stack.at(-1)
    if (value === undefined || value === MARK) throw new PickleError('its pickle takes a value from where none is')
    return value
  }

  remember(index: number): void {
    this.#memo.set(index, this.top())
  }

  rememberNext(): void {
    this.remember(this.#memo.size)
  }

  recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined) throw new PickleError(`its pickle recalls the value ${index}, which it has not remembered`)
    this.push(value)
  }

  append(values: readonly PickleValue[]): void {
    const list = this.top()
    if (!Array.isArray(list)) throw new PickleError('its pickle appends to what is no list')
    for (const value of values) list.push(value)
  }

  setItems(pairs: readonly PickleValue[]): void {
    const dictionary = this.top()
    if (!(dictionary instanceof PickleDictionary) || pairs.length % 2 !== 0) throw new PickleError('its pickle sets an item of what is no dictionary')
    for (let i = 0; i < pairs.length; i += 2) dictionary.entries.set(pairs[i], pairs[i + 1])
  }

  reduce(): void {
    const given = this.pop()
    const called = this.pop()
    if (!(called instanceof Callable) || called.call === undefined || !(given instanceof PickleTuple)) throw new PickleError('its pickle calls what is no function')
    this.push(called.call(given.items))
  }

  /** An ordered dictionary carries attributes (PyTorch: the versions of its modules), which weights do not need. */
  build(): void {
    this.pop()
    if (!(this.top() instanceof PickleDictionary)) throw new PickleError('its pickle sets attributes of what is no dictionary')
  }

  result(): PickleValue {
    const value = this.pop()
    if (this.#stack.length > 0) throw new PickleError('its pickle leaves values over')
    return value
  }
}

const STOP = 0x2e

/** Instructions by their code, as in Python's pickletools. */
const instructions = new Map<number, (machine: Machine) => void>([
  [0x80, (m) => {
    const protocol = m.reader.uint(1)
    if (protocol > HIGHEST_PROTOCOL) throw new PickleError(`its pickle has protocol ${protocol}, which is not known`)
  }],
  [0x95, (m) => void m.reader.take(8)], // A frame groups bytes for reading ahead; it means nothing.
  [code('('), (m) => m.push(MARK)],
  [code('0'), (m) => void m.pop()],
  [code('N'), (m) => m.push(null)],
  [0x88, (m) => m.push(true)],
  [0x89, (m) => m.push(false)],
  [code('J'), (m) => m.push(m.reader.integer(4))],
  [code('K'), (m) => m.push(m.reader.uint(1))],
  [code('M'), (m) => m.push(m.reader.uint(2))],
  [0x8a, (m) => m.push(m.reader.integer(m.reader.uint(1)))],
  [code('G'), (m) => m.push(m.reader.take(8).readDoubleBE(0))],
  [code('X'), (m) => m.push(m.reader.text(m.reader.uint(4)))],
  [0x8c, (m) => m.push(m.reader.text(m.reader.uint(1)))],
  [code('U'), (m) => m.push(m.reader.text(m.reader.uint(1)))],
  [code('T'), (m) => m.push(m.reader.text(m.reader.uint(4)))],
  [code(')'), (m) => m.push(new PickleTuple([]))],
  [code('t'), (m) => m.push(new PickleTuple(m.popToMark()))],
  [0x85, (m) => m.push(new PickleTuple([m.pop()]))],
  [0x86, (m) => m.push(new PickleTuple([m.pop(), m.pop()].reverse()))],
  [0x87, (m) => m.push(new PickleTuple([m.pop(), m.pop(), m.pop()].reverse()))],
  [code(']'), (m) => m.push([])],
  [code('l'), (m) => m.push(m.popToMark())],
  [code('a'), (m) => {
    const value = m.pop()
    m.append([value])
  }],
  [code('e'), (m) => {
    const values = m.popToMark()
    m.append(values)
  }],
  [code('}'), (m) => m.push(new PickleDictionary())],
  [code('s'), (m) => {
    const value = m.pop()
    const key = m.pop()
    m.setItems([key, value])
  }],
  [code('u'), (m) => {
    const pairs = m.popToMark()
    m.setItems(pairs)
  }],
  [code('q'), (m) => m.remember(m.reader.uint(1))],
  [code('r'), (m) => m.remember(m.reader.uint(4))],
  [0x94, (m) => m.rememberNext()],
  [code('h'), (m) => m.recall(m.reader.uint(1))],
  [code('j'), (m) => m.recall(m.reader.uint(4))],
  [code('c'), (m) => {
    const module = m.reader.line()
    m.push(m.host.global(module, m.reader.line()))
  }],
  [0x93, (m) => {
    const name = m.popText()
    m.push(m.host.global(m.popText(), name))
  }],
  [code('Q'), (m) => m.push(m.host.persistent(m.pop()))],
  [code('R'), (m) => m.reduce()],
  [code('b'), (m) => m.build()],
])

function code(letter: string): number {
  return letter.charCodeAt(0)
}
