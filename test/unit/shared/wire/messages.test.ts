import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import protobuf from 'protobufjs'
import { z } from 'zod'
import { ROOT } from '../../../../shared/kit/project.ts'
import {
  briefMessageSchema, coordinatorMessageSchema, gradientChunkSchema, imageFileSchema, imagesRequestSchema, manifestPartSchema, manifestRequestSchema, reducerMessageSchema, reductionMessageSchema,
  sessionRequestSchema, stateChunkSchema, watchRequestSchema, weightsChunkSchema, workerMessageSchema,
} from '../../../../shared/wire/messages.ts'

/** The schema by which each message of a call is checked on arrival; those without fields need none. */
const schemas: Record<string, z.ZodType> = {
  WorkerMessage: workerMessageSchema, CoordinatorMessage: coordinatorMessageSchema, SessionRequest: sessionRequestSchema, WeightsChunk: weightsChunkSchema,
  GradientChunk: gradientChunkSchema, ManifestRequest: manifestRequestSchema, ManifestPart: manifestPartSchema, ImagesRequest: imagesRequestSchema, ImageFile: imageFileSchema, WatchRequest: watchRequestSchema,
  Brief: briefMessageSchema, ReducerMessage: reducerMessageSchema, ReductionMessage: reductionMessageSchema, StateChunk: stateChunkSchema,
}

/** The parts of a JSON schema that give names; zod writes such schemas, and leaves anything without a form in JSON open. */
interface Shape {
  properties?: Record<string, Shape>
  items?: Shape
  anyOf?: Shape[]
  oneOf?: Shape[]
  enum?: unknown[]
}

/** The properties of a schema; those of a union are the properties of all its members, as for messages that carry one of several, and for fields that may be null. */
function propertiesOf({ properties, anyOf = [], oneOf = [] }: Shape): Record<string, Shape> | undefined {
  const members = [...anyOf, ...oneOf].map(propertiesOf).filter((member) => member !== undefined)
  return properties ?? (members.length === 0 ? undefined : Object.assign({}, ...members) as Record<string, Shape>)
}

/** Differences between the names of fields and values in the contract and in the schema; `place` is the path from the call's message. */
function differences(type: protobuf.Type, shape: Shape, place: string): string[] {
  const checked = propertiesOf(shape) ?? {}
  // The name of a oneof is a field too: the loader adds it, to name the member that is set.
  const contract = [...type.fieldsArray.map(({ name }) => name), ...type.oneofsArray.filter(({ fieldsArray }) => fieldsArray.length > 1).map(({ name }) => name)]
  const lacking = contract.filter((name) => !Object.hasOwn(checked, name)).map((name) => `${place}.${name} has no schema`)
  const unknown = Object.keys(checked).filter((name) => !contract.includes(name)).map((name) => `${place}.${name} is not in the contract`)
  return [...lacking, ...unknown, ...type.fieldsArray.flatMap((field) => {
    const of = checked[field.name] as Shape | undefined
    if (of === undefined) return []
    const at = `${place}.${field.name}`
    if (field.repeated !== (of.items !== undefined)) return [`${at} is a list on one side alone`]
    const each = of.items ?? of
    field.resolve()
    if (field.resolvedType instanceof protobuf.Type) return differences(field.resolvedType, each, at)
    if (!(field.resolvedType instanceof protobuf.Enum)) return propertiesOf(each) === undefined ? [] : [`${at} is a message in the schema alone`]
    const values = Object.keys(field.resolvedType.values).filter((name) => !name.endsWith('_UNSPECIFIED'))
    return values.join() === each.enum?.join() ? [] : [`${at} is one of ${values.join()} in the contract, of ${String(each.enum?.join())} in the schema`]
  })]
}

const shapeOf = (schema: z.ZodType): Shape => z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) as Shape

test('the contract and the schemas of its messages name the same fields, lists and values', () => {
  const root = protobuf.loadSync(path.join(ROOT, 'proto/herd.proto'))
  const methods = root.lookupService('herd.v1.Herd').methodsArray
  const carried = new Set(methods.flatMap((method) => [method.requestType, method.responseType]).filter((name) => root.lookupType(`herd.v1.${name}`).fieldsArray.length > 0))
  assert.deepEqual([...carried].sort(), Object.keys(schemas).sort())
  assert.deepEqual([...carried].flatMap((name) => differences(root.lookupType(`herd.v1.${name}`), shapeOf(schemas[name]), name)), [])
})

test('what differs is found: a field, a list, a value, and each of them deep inside', () => {
  const { root } = protobuf.parse(`syntax = "proto3"; message A { oneof message { B b = 1; C c = 2; } } message B { repeated uint32 some_units = 1; }
    message C { enum Kind { KIND_UNSPECIFIED = 0; ONE = 1; TWO = 2; } Kind kind = 1; B inner = 2; optional uint32 rare = 3; }`)
  const b = z.object({ someUnits: z.array(z.int()) })
  const of = (schema: z.ZodType): string[] => differences(root.lookupType('A'), shapeOf(schema), 'A')
  const union = (inB: z.ZodType, inC: z.ZodRawShape): z.ZodType => z.union([z.object({ message: z.literal('b'), b: inB }), z.object({ message: z.literal('c'), c: z.object(inC) })])
  const c = { kind: z.enum(['ONE', 'TWO']), inner: b.nullish(), rare: z.int().optional() }
  assert.deepEqual(of(union(b, c)), [])
  assert.deepEqual(of(union(z.object({ units: z.array(z.int()) }), c)), ['A.b.someUnits has no schema', 'A.b.units is not in the contract'])
  assert.deepEqual(of(union(b, { ...c, inner: z.object({ someUnits: z.int() }).nullish() })), ['A.c.inner.someUnits is a list on one side alone'])
  assert.deepEqual(of(union(b, { ...c, kind: z.enum(['ONE']) })), ['A.c.kind is one of ONE,TWO in the contract, of ONE in the schema'])
  assert.deepEqual(of(union(b, { ...c, rare: b })), ['A.c.rare is a message in the schema alone'])
})

test('an address of metrics is a host and a port, and nothing that a browser or Prometheus would take for more', () => {
  const ready = (metricsAddress: string): boolean => workerMessageSchema.safeParse({ message: 'ready', ready: { engine: '{}', fingerprint: 'f', datasetDigest: '', metricsAddress, inputFingerprint: 'i', versions: 'v' } }).success
  for (const right of ['', ':9464', '192.0.2.1:9464', '[::1]:1', 'rack-1.example:65535', 'my_worker:80']) assert.ok(ready(right), right)
  for (const wrong of [':0', ':65536', 'a/b?c=:80', 'user@host:80', 'host', 'http://host:80', 'a b:80', '[host]:80']) assert.ok(!ready(wrong), wrong)
})

test('no duration, clock or size of a message is so large that a sum or its milliseconds would not be a number any more', () => {
  const computed = (seconds: number): boolean => workerMessageSchema.safeParse({ message: 'computed', computed: { round: 1, lane: 0, seconds } }).success
  assert.ok(computed(0) && computed(86_400))
  for (const wrong of [-1, 1e306, Number.NaN, Number.POSITIVE_INFINITY]) assert.ok(!computed(wrong), String(wrong))
  assert.ok(!workerMessageSchema.safeParse({ message: 'heartbeat', heartbeat: { residentBytes: 1e300 } }).success)
})
