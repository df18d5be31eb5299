import assert from 'node:assert/strict'
import { test } from 'node:test'
import { globOf } from '../../../cli/glob.ts'

/** Paths that a pattern matches, out of these. */
const paths = ['a/1.jpg', 'a/2.JPG', 'a/10.jpg', 'a/b/3.jpg', 'a/b/c/4.png', 'a+b/5.jpg', 'a/[x].jpg', 'a/é.jpg', 'a/!.jpg']
const cases: [pattern: string, base: string, matched: number[]][] = [
  ['a/*.jpg', 'a', [0, 2, 6, 7, 8]],
  ['a/?.jpg', 'a', [0, 7, 8]],
  ['a/**/*.jpg', 'a', [0, 2, 3, 6, 7, 8]],
  ['**/*.png', '', [4]],
  ['**', '', [0, 1, 2, 3, 4, 5, 6, 7, 8]],
  ['a/b/**', 'a/b', [3, 4]],
  ['a/[0-9].*', 'a', [0, 1]],
  ['a/[!0-9].jpg', 'a', [7, 8]],
  ['a/{1,10}.jpg', 'a', [0, 2]],
  ['a/{1,b/c}', 'a', []],
  ['a/{b,2.*}', 'a', [1, 3, 4]],
  ['a+*/5.jpg', '', [5]],
  ['a/\\[x\\].*', 'a', [6]],
  ['a/[.jpg', 'a', []],
]

for (const [pattern, base, matched] of cases) {
  test(`${pattern} matches as in a shell, and all that is below a folder`, () => {
    const glob = globOf(pattern)
    assert.ok(glob !== undefined)
    assert.equal(glob.base, base)
    assert.deepEqual(paths.filter((path) => glob.matches(path)), matched.map((index) => paths[index]))
  })
}

test('a text without a pattern is none', () => {
  assert.equal(globOf('photos/holiday (1).jpg'), undefined)
  assert.equal(globOf('/*.jpg')?.base, '/')
})
