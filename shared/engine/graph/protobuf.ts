/**
 * Writes the protocol buffer wire format, as much of it as a SavedModel needs. tfjs-node's own message classes are an
 * untyped, undocumented part of it, and are not there at all where only the wasm engine is installed.
 * Format: https://protobuf.dev/programming-guides/encoding/
 */

/** A message under construction: fields are appended in the order of the calls. */
export class MessageWriter {
  readonly #chunks: Uint8Array[] = []

  /** int64, int32, bool or enum. */
  integer(field: number, value: number): this {
    this.#varint(field << 3)
    this.#varint(value)
    return this
  }

  /** float, as four little-endian bytes. */
  float(field: number, value: number): this {
    this.#varint((field << 3) | 5)
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.#chunks.push(bytes)
    return this
  }

  /** bytes, an embedded message, or a packed list. */
  bytes(field: number, value: Uint8Array): this {
    this.#varint((field << 3) | 2)
    this.#varint(value.byteLength)
    this.#chunks.push(value)
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, Buffer.from(value, 'utf8'))
  }

  message(field: number, value: MessageWriter): this {
    return this.bytes(field, value.finish())
  }

  /** One entry of a map<string, message>. */
  entry(field: number, key: string, value: MessageWriter): this {
    return this.message(field, new MessageWriter().string(1, key).message(2, value))
  }

  packedIntegers(field: number, values: readonly number[]): this {
    const list = new MessageWriter()
    for (const value of values) list.#varint(value)
    return this.bytes(field, list.finish())
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }

  /** Seven bits a byte, least significant first; a negative number is written as its 64-bit two's complement. */
  #varint(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    const bytes: number[] = []
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    bytes.push(Number(rest))
    this.#chunks.push(Uint8Array.from(bytes))
  }
}
