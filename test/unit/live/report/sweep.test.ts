import assert from 'node:assert/strict'
import test from 'node:test'
import { bestOf } from '../../../../cli/sweep/results.ts'
import { sweepPage } from '../../../../live/report/sweep.ts'
import { svgOf, type Drawing } from '../../../../shared/pictures/drawing.ts'
import { historiesOf, sweepOf } from '../../cli/sweep/made_up.ts'

const NOW = new Date('2026-01-01T10:00:00Z')
const HOSTILE = '"><script>alert(1)</script>'
const draw = (drawing: Drawing): Promise<string> => Promise.resolve(svgOf(drawing))
const COMMAND = "npx coordinator --data 'my images' --recipe runs/lr/best.json --single-node"

/** Text of the page, as somebody reads it. */
const textOf = (page: string): string => page.replaceAll(/<style>[^]*?<\/style>/g, '').replaceAll(/<[^>]*>/g, ' ').replaceAll('&apos;', "'").replaceAll(/\s+/g, ' ')

test('the page of a sweep has the best recipe, the table, a plot for each part, curves and runs; it needs no other file and no script', async () => {
  const sweep = sweepOf()
  const page = await sweepPage({ sweep, histories: historiesOf(), best: bestOf(sweep.trials), command: COMMAND, writtenAt: NOW }, draw)
  const text = textOf(page)
  assert.match(text, /^ ?lr · sweep · Herd lr \/data · finished · written/)
  assert.match(text, /Best accuracy 70\.0 % of validation, trial 3 Trials 5 2 finished, 2 halted, 1 failed Seeds 2 0, 1 /)
  assert.match(text, /The best recipe lr 0\.03 optimizer adamw \(weightDecay 0\.1\) /)
  assert.ok(text.includes(COMMAND))
  assert.match(text, /By their accuracy on 25 images of the training part, after their last epoch, as mean over the seeds ± its standard deviation\. After epoch 1 and 2 the best 50 % went on\. The 30 images of the test part were left out\./)
  assert.match(text, /3 0\.03 adamw \(weightDecay 0\.1\) 70\.0 % ± 14\.1 % 3 6\.0 s finished 1 0\.01 adamw/)
  assert.match(text, /10 runs, each with a folder of its own .*lr\/trials\/4\/seed-0 0 0 – – 0 ms failed: exit code 1/)
  assert.equal(page.match(/<svg /g)?.length, 4, 'two parts, accuracy and loss')
  assert.match(page, /aria-label="accuracy of the trials by optimizer"/)
  assert.match(page, />3: seed 0, 0\.03, adamw[^<]*</, 'curves have names')
  assert.doesNotMatch(text, /undefined|NaN|\[object/)
  assert.doesNotMatch(page.replaceAll(/xmlns(:xlink)?="[^"]*"/g, ''), /<script|<link|<iframe|https?:|\son\w+=|@import|url\((?!#)/i)
})

test('a sweep that has just begun says so; values of strangers stay text', async () => {
  const whole = sweepOf()
  const trials = whole.trials.map((trial) => ({ ...trial, settings: { lr: HOSTILE }, state: 'open' as const, mean: null, spread: null }))
  const page = await sweepPage({ sweep: { ...whole, state: 'going on', name: HOSTILE, parts: ['lr'], trials }, histories: new Map(), best: undefined, command: undefined, writtenAt: NOW }, draw)
  assert.match(textOf(page), /still going on .*No trial has been trained to its end yet\. .*No epoch has ended yet\./)
  assert.doesNotMatch(page, /<script/)
})

test('of more runs than can be told apart, the others are drawn without a name, and what spans much has a logarithmic axis', () => {
  const history = [...historiesOf().values()][0]
  const svg = svgOf({ picture: 'compared', figure: 'testAccuracy', runs: [{ name: 'best', history }], others: { title: 'Validation accuracy', histories: [history, history] } })
  assert.match(svg, />Validation accuracy</)
  assert.match(svg, />best</)
  assert.equal(svg.match(/stroke="#c5ccd3"/g)?.length, 2)
  const tried = (values: readonly (number | string)[]): string => svgOf({ picture: 'tried', tried: { part: 'lr', measure: 'accuracy', points: values.map((value, index) => ({ value, figure: index / 10, kind: 'finished' })) } })
  for (const decade of ['0.001', '0.01', '0.1']) assert.ok(tried([0.001, 0.1]).includes(`>${decade}<`), decade)
  assert.ok(!tried([0.1, 0.2]).includes('>0.01<'))
  assert.ok(tried(['adam', 'none']).includes('>none<'))
})
