import assert from 'node:assert/strict'
import test from 'node:test'
import { markdownOf, withReport, type Report } from '../../../benchmark/bench/report.ts'
import { quantile } from '../../../benchmark/bench/statistics.ts'

const report: Report = {
  time: '2026-01-02T03:04:05.678Z', rounds: 3,
  machine: { processor: 'Some CPU', cores: 2, memoryGib: 24, extensions: ['avx2'], versions: { herd: '1.2.3', node: 'v20.0.0' } },
  sections: [{
    title: 'A race', about: 'Who is faster.', unit: 'images/s', more: true, baseline: 'they',
    measures: [{ name: 'we', values: [30, 10, 20] }, { name: 'they', values: [10, 10, 5] }],
    derived: [{ name: 'the moon', unit: 'km', values: [380000, 390000, 400000] }],
    notes: ['It rained.'],
  }],
}

test('a table has medians with their spread, and ratios taken round by round', () => {
  assert.deepEqual(markdownOf(report).split('\n'), [
    'Measured on 2026-01-02: Some CPU, 2 cores, 24 GiB, avx2; herd 1.2.3, node v20.0.0. 3 rounds, in which the contenders take turns; medians, with the least and the most of the rounds; ratios are taken round by round.',
    '',
    '### A race',
    '',
    'Who is faster. More is better.',
    '',
    '| | images/s | ratio to they |',
    '| --- | --- | --- |',
    '| we | 20.0 (10.0 to 30.0) | 3.00 (1.00 to 4.00) |',
    '| they | 10.0 (5.00 to 10.0) | 1 |',
    '| the moon | 390000 (380000 to 400000) km | |',
    '',
    'It rained.',
  ])
})

test('a report takes the place of the last one, and of nothing else', () => {
  const page = 'before\n<!-- npm run bench: begin -->\n\nold\n\n<!-- npm run bench: end -->\nafter\n'
  const once = withReport(page, 'new')
  assert.equal(once, 'before\n<!-- npm run bench: begin -->\n\nnew\n\n<!-- npm run bench: end -->\nafter\n')
  assert.equal(withReport(once, 'new'), once)
  assert.throws(() => withReport('no place', 'new'), /has no lines "<!-- npm run bench: begin -->"/)
})

test('quantiles lie between the two nearest values', () => {
  assert.equal(quantile([4, 1, 3, 2], 0.5), 2.5)
  assert.equal(quantile([1, 2, 3], 0), 1)
  assert.equal(quantile([1, 2, 3], 1), 3)
  assert.equal(quantile([10, 20], 0.25), 12.5)
})
