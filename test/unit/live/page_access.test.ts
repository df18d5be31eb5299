import assert from 'node:assert/strict'
import test from 'node:test'
import { viewerToken } from '../../../coordinator/watch/viewers.ts'
import { UsageError } from '../../../shared/kit/errors.ts'
import { checkViewers, type PageAccess } from '../../../live/page_access.ts'
import { Token } from '../../../shared/security/token.ts'

const token = new Token('0123456789abcdef', 'test')
const tls = { identity: { cert: Buffer.from(''), key: Buffer.from('') }, ca: undefined }
const page = (more: Partial<PageAccess>): PageAccess => ({ httpHost: '0.0.0.0', token: undefined, tls: undefined, insecure: false, ...more })

test('beyond this machine a page needs a token, or --insecure', () => {
  assert.throws(() => checkViewers(page({})), (error) => error instanceof UsageError && /^--http-host 0\.0\.0\.0: .*HERD_TOKEN or --token-file.*--insecure/.test(error.message))
  assert.match(checkViewers(page({ insecure: true })) ?? '', /^--http-host 0\.0\.0\.0 with --insecure/)
  assert.match(checkViewers(page({ token })) ?? '', /^--http-host 0\.0\.0\.0 without TLS/)
  assert.equal(checkViewers(page({ token, tls })), undefined)
  for (const httpHost of ['127.0.0.1', '::1', 'localhost']) assert.equal(checkViewers(page({ httpHost })), undefined)
})

test("a coordinator's page asks for the cluster's token as soon as page or cluster is beyond this machine", () => {
  const access = { token, tls: undefined, maxWorkers: 1 }
  const options = { listen: '127.0.0.1:7070', singleNode: false, httpHost: '127.0.0.1' }
  assert.equal(viewerToken(options, access), undefined)
  for (const beyond of [{ listen: '0.0.0.0:7070' }, { httpHost: '0.0.0.0' }]) {
    const asked = viewerToken({ ...options, ...beyond }, access)
    assert.equal(asked?.holderOf(token.header), token)
    assert.equal(asked?.holderOf(`${token.header}x`), undefined)
  }
  assert.equal(viewerToken({ ...options, listen: '0.0.0.0:7070', singleNode: true }, access), undefined, 'a single node does not listen')
})
