import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PickleError } from '../../../../cli/weights/pickle.ts'
import { torchWeights } from '../../../../cli/weights/torch_file.ts'
import { ZipError } from '../../../../cli/weights/zip_archive.ts'
import { archive, call, dictionary, floats, global, int, legacy, pickle, stateDict, text, tuple, zip, type Written } from './torch_writer.ts'

const kernel = floats('conv.weight', [2, 3], [1, 2, 3, 4, 5, -6.5])
const bias = floats('conv.bias', [2], [0.25, -1])
const counter: Written = { name: 'bn.num_batches_tracked', storage: { key: 'n', type: 'LongStorage', bytes: Buffer.alloc(8), length: 1 }, offset: 0, shape: [], strides: [] }
const transposed: Written = { ...kernel, name: 'transposed', shape: [2, 2], strides: [1, 3], offset: 1 }

const typed = (type: string, bytes: Buffer, length: number): Written => ({ name: type, storage: { key: type, type, bytes, length }, offset: 0, shape: [length], strides: [1] })
const refused = (file: Buffer, message: RegExp, kind: typeof PickleError | typeof ZipError = PickleError): void => {
  assert.throws(() => torchWeights(file), (error: Error) => error instanceof kind && message.test(error.message) || assert.fail(`${error.name}: ${error.message}`))
}

describe('torchWeights', () => {
  for (const [format, write] of [['of PyTorch since 1.6', archive], ['of PyTorch before 1.6', legacy]] as const) {
    it(`reads a file ${format}: shapes, strides, a shared storage; integers are passed over`, () => {
      const { tensors, passedOver, part } = torchWeights(write([kernel, bias, counter, transposed]))
      assert.deepEqual(tensors.map(({ name, shape, values }) => [name, [...shape], [...values]]), [
        ['conv.weight', [2, 3], [1, 2, 3, 4, 5, -6.5]],
        ['conv.bias', [2], [0.25, -1]],
        ['transposed', [2, 2], [2, 5, 3, -6.5]],
      ])
      assert.deepEqual(passedOver, ['bn.num_batches_tracked'])
      assert.equal(part, undefined)
    })

    it(`says what is wrong with a file ${format} that is cut or changed, wherever that is`, () => {
      const whole = write([kernel, bias, counter, transposed])
      for (let length = 0; length < whole.length; length += 3) assert.throws(() => torchWeights(whole.subarray(0, length)), (error) => error instanceof PickleError || error instanceof ZipError)
      let readable = 0
      for (let at = 0; at < whole.length; at++) {
        for (const bit of [0, 3, 7]) {
          const changed = Buffer.from(whole)
          changed[at] ^= 1 << bit
          try {
            torchWeights(changed)
            readable++
          } catch (error) {
            assert.ok(error instanceof PickleError || error instanceof ZipError, `byte ${at}, bit ${bit}: ${String(error)}`)
          }
        }
      }
      // A letter of a name, or in the older format a value, can change unnoticed; most of the rest cannot.
      assert.ok(readable < whole.length * 3 * 0.5, `${readable} of ${whole.length * 3}`)
    })
  }

  it('converts float16, bfloat16 and float64', () => {
    const half = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x3555, 0x8000).buffer)
    const brain = Buffer.from(Uint16Array.of(0x3f80, 0xc2f7).buffer)
    const double = Buffer.from(Float64Array.of(0.1, -2).buffer)
    const { tensors } = torchWeights(archive([typed('HalfStorage', half, 7), typed('BFloat16Storage', brain, 2), typed('DoubleStorage', double, 2)]))
    assert.deepEqual(tensors.map(({ values }) => [...values]), [[1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, 0.333251953125, -0], [1, -123.5], [Math.fround(0.1), -2]])
  })

  it("finds the weights in a training's checkpoint", () => {
    const { tensors, part } = torchWeights(archive([kernel], dictionary([[text('epoch'), int(3)], [text('state_dict'), stateDict([kernel])]])))
    assert.deepEqual([tensors[0].name, part], ['conv.weight', 'state_dict'])
    refused(archive([], dictionary([[text('epoch'), int(3)]])), /no dictionary of tensors.*it has "epoch": save the weights alone/)
  })

  it('runs nothing: every name of Python that weights do not need is refused', () => {
    const system = call(global('posix', 'system'), text('touch owned'))
    refused(archive([], system), /^it has an object of "posix\.system", which only PyTorch could make, by running code: save the weights alone/)
    refused(archive([], call(global('torch._utils', '__builtins__'), text('x'))), /an object of "torch\._utils\.__builtins__"/)
    refused(archive([], Buffer.concat([text('os'), text('system'), Buffer.from([0x93])])), /an object of "os\.system"/)
    refused(archive([], Buffer.from('(ios\nsystem\n')), /the instruction 0x69 .* which plain weights do not need/)
    refused(archive([], call(global('torch', 'FloatStorage'), int(1))), /calls what is no function/)
  })

  it('believes no size', () => {
    refused(archive([{ ...kernel, shape: [1 << 20, 1 << 10], strides: [0, 0] }]), /does not fit its storage of 6 elements/)
    refused(archive([{ ...kernel, offset: 1 }]), /does not fit its storage/)
    refused(archive([{ ...kernel, storage: { ...kernel.storage, length: 2 ** 30 } }]), /larger than what a file of its size can hold|has 24 bytes instead of/)
    refused(archive([{ ...kernel, storage: { ...kernel.storage, length: 7 } }]), /storage "conv.weight" has 24 bytes instead of 28/, ZipError)
    const large = floats('large', [1000], Array.from({ length: 1000 }, () => 1))
    refused(archive(Array.from({ length: 100 }, (_, index) => ({ ...large, name: `copy ${index}` }))), /larger than what a file of its size can hold/)
  })

  it('names what is no file of weights', () => {
    refused(Buffer.from('{"weights": 1}'), /does not begin as a file of PyTorch does/)
    refused(Buffer.alloc(0), /does not begin as a file of PyTorch does/)
    refused(zip([['a/b.txt', Buffer.from('text')]]), /a zip archive without data\.pkl/, ZipError)
    refused(zip([['a/data.pkl', Buffer.from('text')]], 8), /entry "a\/data\.pkl" is compressed/, ZipError)
    refused(zip([['a/data.pkl', pickle(stateDict([]))], ['a/code/x.py', Buffer.alloc(1)]]), /a program of TorchScript/, ZipError)
    refused(zip([['a/data.pkl', pickle(stateDict([kernel]))], ['a/byteorder', Buffer.from('big')]]), /byte order is "big" and not little/, ZipError)
    refused(zip([['a/data.pkl', pickle(stateDict([kernel]))]]), /storage "conv\.weight" is missing/, ZipError)
    refused(archive([{ ...kernel, name: '__metadata__' }]), /a tensor whose name cannot be used: "__metadata__"/)
    refused(archive([kernel], dictionary([[text('w'), tuple(int(1))], [text('x'), stateDict([kernel])]])), /no dictionary of tensors/)
  })
})
