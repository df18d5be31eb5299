import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { Command } from 'commander'
import { addOptions, address, choice, flag, givenOptions, optionalWhole, parseAddress, optionTable, readOptions, size, text, whole, type OptionValues } from '../../../../shared/command/options.ts'
import { UsageError } from '../../../../shared/kit/errors.ts'

const specs = {
  batchSize: whole('<images>', 'Batch.', { min: 1, max: 100 }, 64),
  gpu: optionalWhole('<index>', 'GPU.', { min: 0, max: 7 }),
  mode: choice('Mode.', ['fast', 'slow'], 'fast'),
  listen: address('Address.', '127.0.0.1:70'),
  note: text('<text>', 'Note.'),
  quiet: flag('Quiet.'),
}
const folder = await mkdtemp(path.join(os.tmpdir(), 'herd-options-'))
after(() => rm(folder, { recursive: true }))

/** Parses a command line as a program does; the environment is restored afterwards. */
function parse(argv: string[], environment: Record<string, string> = {}): { values: OptionValues<typeof specs>; given: string[] } {
  const before = { ...process.env }
  Object.assign(process.env, environment)
  try {
    const command = new Command().exitOverride()
    addOptions(command, specs)
    command.parse(argv, { from: 'user' })
    return { values: readOptions(command, specs), given: [...givenOptions(command, specs)] }
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name]
    Object.assign(process.env, before)
  }
}

test('options have their defaults', () => {
  const { values, given } = parse([])
  assert.deepEqual({ ...values }, { batchSize: 64, gpu: undefined, mode: 'fast', listen: '127.0.0.1:70', note: undefined, quiet: false })
  assert.deepEqual(given, [])
})

test('the command line wins over the environment, and that over the file', async () => {
  const file = path.join(folder, 'config.json')
  await writeFile(file, '{"batch-size": 1, "gpu": 1, "mode": "slow", "quiet": true}')
  const { values, given } = parse(['--config', file, '--batch-size', '3'], { HERD_BATCH_SIZE: '2', HERD_GPU: '2' })
  assert.equal(values.batchSize, 3)
  assert.equal(values.gpu, 2)
  assert.equal(values.mode, 'slow')
  assert.equal(values.quiet, true)
  assert.deepEqual(given.sort(), ['batchSize', 'gpu', 'mode', 'quiet'])
})

test('a switch in the environment says what it says', () => {
  assert.equal(parse([], { HERD_QUIET: '0' }).values.quiet, false)
  assert.equal(parse([], { HERD_QUIET: 'true' }).values.quiet, true)
  assert.throws(() => parse([], { HERD_QUIET: 'maybe' }), (error: Error) => error instanceof UsageError && /HERD_QUIET maybe: expected true or false/.test(error.message))
})

const bad: [string[], RegExp][] = [
  [['--batch-size', '0'], /--batch-size 0: expected a whole number from 1 to 100\./],
  [['--batch-size', '1e9'], /--batch-size 1e9: expected/],
  [['--batch-size', ''], /--batch-size : expected/],
  [['--gpu', '-1'], /--gpu -1: expected a whole number from 0 to 7/],
  [['--mode', 'medium'], /--mode medium: expected one of fast, slow/],
  [['--listen', '127.0.0.1:99999'], /--listen 127\.0\.0\.1:99999: expected HOST:PORT/],
  [['--note', ''], /--note : expected some text/],
]
for (const [argv, message] of bad) {
  test(`${argv.join(' ')} is refused`, () => {
    assert.throws(() => parse(argv), (error: Error) => error instanceof UsageError && message.test(error.message))
  })
}

test('addresses may be names, IPv4 or IPv6', () => {
  assert.deepEqual(parseAddress('host.example:7070'), { host: 'host.example', port: 7070 })
  assert.deepEqual(parseAddress('[::1]:7070'), { host: '::1', port: 7070 })
  for (const wrong of ['host', ':70', 'host:', 'a b:70', '::1:70', 'host:70:80']) assert.equal(parseAddress(wrong), undefined, wrong)
})

test('sizes have units, and are shown as they are written', async () => {
  const sized = { cacheSize: size('Cache.', '10GB') }
  const read = (...argv: string[]): number => {
    const command = new Command().exitOverride()
    addOptions(command, sized)
    return readOptions(command.parse(argv, { from: 'user' }), sized).cacheSize
  }
  assert.equal(read(), 10e9)
  for (const [written, bytes] of [['0', 0], ['0B', 0], ['1500B', 1500], ['2.5GB', 2.5e9], ['1 MiB', 2 ** 20], ['3TiB', 3 * 2 ** 40], ['7KB', 7000]] as const) assert.equal(read('--cache-size', written), bytes, written)
  for (const wrong of ['20', '-1GB', 'GB', '1gb', '1.GB', '', '1e3GB', '9999999999TB']) {
    assert.throws(() => read('--cache-size', wrong), (error: Error) => error instanceof UsageError && error.message === `--cache-size ${wrong}: expected a size with its unit, e.g. 500MB, 20GB or 1TiB, or 0.`, wrong)
  }
  const file = path.join(folder, 'size.json')
  await writeFile(file, '{"cache-size": "1GB"}')
  assert.equal(read('--config', file), 1e9)
  assert.match(optionTable(sized), /\| `--cache-size <size>` \| 10GB \| Cache\. \|/)
})
