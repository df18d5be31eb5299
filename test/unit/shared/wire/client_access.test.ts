import assert from 'node:assert/strict'
import test from 'node:test'
import { UsageError } from '../../../../shared/kit/errors.ts'
import { Token } from '../../../../shared/security/token.ts'
import { accessOptions, clearTokenWarning, readAccess } from '../../../../shared/wire/client_access.ts'

type Options = Parameters<typeof readAccess>[0]
const defaults = Object.fromEntries(Object.entries(accessOptions).map(([key, { fallback }]) => [key, fallback])) as Options

test('what is named and not there, or lacks beside it, is told by its option', async () => {
  const wrong: [options: Partial<Options>, message: RegExp][] = [
    [{ tlsCa: '/nowhere/absent.crt' }, /^--tls-ca \/nowhere\/absent\.crt cannot be read/],
    [{ tlsCert: 'worker.crt', tlsKey: 'worker.key' }, /^--tls-cert worker\.crt needs --tls-ca/],
    [{ tlsCa: 'ca.crt', tlsCert: 'worker.crt' }, /^--tls-cert worker\.crt needs --tls-key/],
    [{ tokenFile: '/nowhere/absent' }, /^--token-file \/nowhere\/absent cannot be read/],
  ]
  for (const [options, message] of wrong) {
    await assert.rejects(readAccess({ ...defaults, ...options }, {}, new Date()), (error: unknown) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, message)
      return true
    })
  }
})

test('a token that would go in the clear beyond this machine is warned of', () => {
  const token = new Token('a-token-of-thirty-two-characters', 'the test')
  const tls = { ca: Buffer.alloc(0), identity: undefined }
  assert.match(clearTokenWarning({ token, tls: undefined }, '192.0.2.10:7070') ?? '', /^--coordinator 192\.0\.2\.10:7070 without --tls-ca: the token goes in the clear/)
  assert.match(clearTokenWarning({ token, tls: undefined }, 'trainer:7070') ?? '', /in the clear/, 'a name may be any machine')
  for (const address of ['127.0.0.1:7070', 'localhost:7070', '[::1]:7070']) assert.equal(clearTokenWarning({ token, tls: undefined }, address), undefined)
  assert.equal(clearTokenWarning({ token, tls }, '192.0.2.10:7070'), undefined)
  assert.equal(clearTokenWarning({ token: undefined, tls: undefined }, '192.0.2.10:7070'), undefined)
})
