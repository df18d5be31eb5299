import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { frame } from './frame.ts'
import { Board } from './panels.ts'

const GOOD = 'green'
const BAD = 'red'

/** "Herd training": what a run learns, how fast, what its steps are spent on, and whether its work is safe. */
export function trainingDashboard(): dashboard.Dashboard {
  const builder = frame({ title: 'Herd training', uid: 'herd-training', description: 'A training of Herd: what it learns, how fast, what its steps are spent on.', other: { title: 'Cluster', uid: 'herd-cluster' } })
  const board = new Board(builder)
  theRun(board)
  learning(board)
  speed(board)
  safety(board)
  return builder.build()
}

function theRun(board: Board): void {
  board.row('The run')
  board.numbers({ title: 'Epochs complete', description: 'Of as many as --epochs says.', unit: 'none', width: 4, queries: [{ expr: 'herd_epoch{run=~"$run"}', legend: '{{run}}' }] })
  board.numbers({ title: 'Run complete', description: 'Steps that are done, of all steps of the run.', unit: 'percentunit', decimals: 1, width: 4, queries: [{ expr: 'herd_step{run=~"$run"} / (herd_steps_per_epoch{run=~"$run"} * herd_epochs_wanted{run=~"$run"})', legend: '{{run}}' }] })
  board.numbers({ title: 'Test accuracy', description: 'After the last epoch.', unit: 'percentunit', decimals: 1, width: 4, queries: [{ expr: 'herd_accuracy_ratio{run=~"$run",phase="test"}', legend: '{{run}}' }] })
  board.numbers({ title: 'Test loss', description: 'After the last epoch: cross entropy.', unit: 'none', decimals: 3, width: 4, queries: [{ expr: 'herd_loss{run=~"$run",phase="test"}', legend: '{{run}}' }] })
  board.numbers({ title: 'Images a second', description: 'Training images, evaluation and checkpoints included.', unit: 'none', decimals: 1, width: 4, queries: [{ expr: 'rate(herd_images_total{run=~"$run"}[$__rate_interval])', legend: '{{run}}' }] })
  board.numbers({
    title: 'Workers', description: 'Workers that are in. Red: none.', unit: 'none', width: 4, steps: [{ colour: BAD, from: null }, { colour: GOOD, from: 1 }],
    queries: [{ expr: 'sum by (run) (herd_workers{run=~"$run"})', legend: '{{run}}' }],
  })
}

function learning(board: Board): void {
  board.row('Learning')
  const phases = [['train_step', 'each step', 'light-blue'], ['train', 'training', 'blue'], ['test', 'test', 'orange']]
  const byPhase = (metric: string): { expr: string; legend: string; colour?: string }[] => phases.map(([phase, word, colour]) => ({ expr: `${metric}{run=~"$run",phase="${phase}"}`, legend: word, colour }))
  board.curves({ title: 'Loss', description: 'Cross entropy: of each step, of an epoch, of the test images after it. Where the test loss rises while that of training falls, the network learns by heart.', unit: 'none', width: 12, queries: byPhase('herd_loss') })
  board.curves({ title: 'Accuracy', description: 'Share of images that are classified right.', unit: 'percentunit', min: 0, max: 1, width: 12, queries: byPhase('herd_accuracy_ratio') })
  board.curves({ title: 'Accuracy of each class', description: 'Of the test images, after each epoch.', unit: 'percentunit', min: 0, max: 1, width: 12, queries: [{ expr: 'herd_class_accuracy_ratio{run=~"$run"}', legend: '{{class}}' }] })
  board.table({
    title: 'Confusion by class', description: 'Test images of the last epoch. Rows: what an image shows. Columns: what the network says.', unit: 'none', width: 12, height: 8,
    queries: [{ expr: 'sum by (class, predicted) (herd_confusion_images{run=~"$run"})', legend: '{{class}} as {{predicted}}' }],
    transformations: [{ id: 'groupingToMatrix', options: { rowField: 'class', columnField: 'predicted', valueField: 'Value' } }],
  })
  board.curves({ title: 'Gradient norm', description: 'L2, of the mean gradient over the batch. A sudden growth comes before a loss that is not finite.', unit: 'none', logarithmic: true, width: 12, queries: [{ expr: 'herd_gradient_norm{run=~"$run"}', legend: '{{run}}' }] })
  board.curves({ title: 'Learning rate', description: 'Of the epoch in progress.', unit: 'sci', width: 12, queries: [{ expr: 'herd_learning_rate{run=~"$run"}', legend: '{{run}}' }] })
}

function speed(board: Board): void {
  board.row('Speed')
  board.curves({
    title: 'Throughput', description: 'Training images a second: over the last step, and all in all, evaluations and checkpoints included.', unit: 'none', min: 0, width: 12,
    queries: [{ expr: 'herd_images_per_second{run=~"$run"}', legend: 'last step', colour: 'light-blue' }, { expr: 'rate(herd_images_total{run=~"$run"}[$__rate_interval])', legend: 'all in all', colour: 'blue' }],
  })
  board.curves({
    title: 'Time split of a step', description: 'Seconds of a step by what they go to: waiting for lanes (with --single-node: computing them), summing partials, the optimizer, handing out weights.', unit: 's', min: 0, stacked: true, width: 12,
    queries: ['lanes', 'reduce', 'optimizer', 'broadcast'].map((phase) => ({ expr: `rate(herd_step_phase_seconds_total{run=~"$run",phase="${phase}"}[$__rate_interval]) / on (run) rate(herd_step_duration_seconds_count{run=~"$run"}[$__rate_interval])`, legend: phase })),
  })
  const quantile = (q: number): string => `histogram_quantile(${q}, sum by (run, le) (rate(herd_step_duration_seconds_bucket{run=~"$run"}[$__rate_interval])))`
  board.curves({ title: 'Step time', description: 'The middle one, and the longest of a hundred.', unit: 's', min: 0, width: 12, queries: [{ expr: quantile(0.5), legend: 'median' }, { expr: quantile(0.99), legend: '99th percentile' }] })
  board.curves({
    title: 'Traffic', description: 'Gradients that come in, weights and images that go out.', unit: 'binBps', min: 0, width: 12,
    queries: [{ expr: 'rate(herd_received_bytes_total{run=~"$run"}[$__rate_interval])', legend: 'in' }, { expr: 'rate(herd_sent_bytes_total{run=~"$run"}[$__rate_interval])', legend: 'out' }],
  })
}

function safety(board: Board): void {
  board.row('Safety')
  board.numbers({
    title: 'Age of the newest checkpoint', description: 'As much work would be lost with the coordinator.', unit: 's', width: 6, steps: [{ colour: GOOD, from: null }, { colour: 'orange', from: 900 }, { colour: BAD, from: 1800 }],
    queries: [{ expr: 'time() - herd_checkpoint_last_success_timestamp_seconds{run=~"$run"}', legend: '{{run}}' }],
  })
  board.numbers({ title: 'Size of a checkpoint', description: 'Of the last one.', unit: 'bytes', width: 6, queries: [{ expr: 'herd_checkpoint_size_bytes{run=~"$run"}', legend: '{{run}}' }] })
  board.numbers({ title: 'Time of a checkpoint', description: 'Mean. Training goes on meanwhile in mid-epoch, and waits after an epoch.', unit: 's', width: 6, queries: [{ expr: 'herd_checkpoint_duration_seconds_sum{run=~"$run"} / herd_checkpoint_duration_seconds_count{run=~"$run"}', legend: '{{run}}' }] })
  board.numbers({ title: 'Resumed', description: 'How often the run has been resumed from a checkpoint.', unit: 'none', width: 6, queries: [{ expr: 'herd_restarts{run=~"$run"}', legend: '{{run}}' }] })
  board.curves({
    title: 'What went wrong', description: 'Since the coordinator started: steps that were left out, checkpoints and files that could not be written.', unit: 'none', min: 0, width: 24, height: 6,
    queries: [
      { expr: 'herd_skipped_steps_total{run=~"$run"}', legend: 'steps left out' },
      { expr: 'herd_checkpoint_failures_total{run=~"$run"}', legend: 'checkpoints failed' },
      { expr: 'herd_write_failures_total{run=~"$run"}', legend: 'files not written' },
    ],
  })
}
