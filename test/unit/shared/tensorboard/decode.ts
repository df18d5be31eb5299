import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { maskedCrc } from '../../../../shared/tensorboard/record.ts'

/** An event as an independent reader decodes it, by field numbers. */
export interface DecodedEvent {
  wallTime: number
  step: number
  fileVersion?: string
  restart?: boolean
  scalars: Record<string, number>
  images: Record<string, { width: number; height: number; channels: number; png: Buffer }>
}

/** Decodes the events of a file. @throws AssertionError or RangeError if a length or a checksum is wrong, or the last record is not complete */
export function decodeEventFile(file: string): DecodedEvent[] {
  const content = readFileSync(file)
  const events: DecodedEvent[] = []
  for (let at = 0; at < content.length; ) {
    const length = Number(content.readBigUInt64LE(at))
    assert.equal(content.readUInt32LE(at + 8), maskedCrc(content.subarray(at, at + 8)), 'the checksum of the length')
    const data = content.subarray(at + 12, at + 12 + length)
    assert.equal(content.readUInt32LE(at + 12 + length), maskedCrc(data), 'the checksum of the data')
    events.push(eventOf(data))
    at += 12 + length + 4
  }
  return events
}

interface Field {
  number: number
  value: bigint
  bytes: Buffer
}

function eventOf(data: Buffer): DecodedEvent {
  const event: DecodedEvent = { wallTime: 0, step: 0, scalars: {}, images: {} }
  for (const { number, value, bytes } of fieldsOf(data)) {
    if (number === 1) event.wallTime = bytes.readDoubleLE()
    else if (number === 2) event.step = Number(value)
    else if (number === 3) event.fileVersion = bytes.toString()
    else if (number === 5) for (const part of fieldsOf(bytes)) takeValue(event, part.bytes)
    else if (number === 7) event.restart = fieldsOf(bytes).some((part) => part.number === 1 && part.value === 1n)
    else assert.fail(`an event has no field ${number} here`)
  }
  return event
}

function takeValue(event: DecodedEvent, data: Buffer): void {
  const fields = fieldsOf(data)
  const field = (number: number): Field | undefined => fields.find((each) => each.number === number)
  const tag = field(1)?.bytes.toString() ?? assert.fail('a value without a tag')
  // A float of 0 may be left out of a message, but not if it is in a oneof.
  const simple = field(2)
  if (simple !== undefined) event.scalars[tag] = simple.bytes.readFloatLE()
  const image = field(4)
  if (image === undefined) return
  const [height, width, channels, png] = [1, 2, 3, 4].map((number) => fieldsOf(image.bytes).find((each) => each.number === number))
  event.images[tag] = { height: Number(height?.value), width: Number(width?.value), channels: Number(channels?.value), png: png?.bytes ?? Buffer.alloc(0) }
}

/** Splits a message of the protocol buffer wire format into its fields. */
function fieldsOf(data: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(data[at++])
      value |= (byte & 127n) << shift
      if (byte < 128n) return value
    }
  }
  while (at < data.length) {
    const key = varint()
    const kind = Number(key & 7n)
    const value = kind === 0 ? varint() : 0n
    const length = kind === 2 ? Number(varint()) : ({ 0: 0, 1: 8, 5: 4 }[kind] ?? assert.fail(`wire type ${kind}`))
    fields.push({ number: Number(key >> 3n), value, bytes: data.subarray(at, at + length) })
    at += length
  }
  return fields
}
