import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import { frame } from './frame.ts'
import { Board, type Query } from './panels.ts'

/** The coordinator's series of workers, and the workers' own. */
const CHOSEN = 'run=~"$run",worker=~"$worker"'
const LEGEND = '{{worker}}'

/** How a worker's time for a lane compares with that of the middle one of its run. */
const LANE_TIME_RATIO = `herd_member_lane_seconds{${CHOSEN}} / on (run) group_left () quantile by (run) (0.5, herd_member_lane_seconds{run=~"$run"} >= 0)`
const ratePerWorker = (metric: string): string => `sum by (run, worker) (rate(${metric}{${CHOSEN}}[$__rate_interval]))`

/** "Herd cluster": each worker's work, waits and memory, and stragglers at a glance. */
export function clusterDashboard(): dashboard.Dashboard {
  const builder = frame({ title: 'Herd cluster', uid: 'herd-cluster', description: 'The workers of a run of Herd: their work, waits, memory and losses.', other: { title: 'Training', uid: 'herd-training' } })
  const board = new Board(builder)
  atAGlance(board)
  work(board)
  time(board)
  input(board)
  machines(board)
  trouble(board)
  return builder.build()
}

function atAGlance(board: Board): void {
  board.row('At a glance')
  const columns: [letter: string, column: string, unit: string, expr: string][] = [
    ['A', 'Images/s', 'none', ratePerWorker('herd_member_images_total')],
    ['B', 'Lane time', 's', `max by (run, worker) (herd_member_lane_seconds{${CHOSEN}})`],
    ['C', 'To the median', 'none', `max by (run, worker) (${LANE_TIME_RATIO})`],
    ['D', 'Owes', 'none', `max by (run, worker) (herd_member_owed_units{${CHOSEN}})`],
    ['E', 'Memory', 'bytes', `max by (run, worker) (herd_member_resident_memory_bytes{${CHOSEN}})`],
  ]
  board.table({
    title: 'Workers', description: 'Those that are in now. Lane time to the median: above 1.5, a worker is a straggler; it is dealt less, and others take over what it is late with.', unit: 'none', width: 16,
    queries: columns.map(([, column, , expr]) => ({ expr, legend: column })),
    transformations: [
      { id: 'merge', options: {} },
      { id: 'organize', options: { excludeByName: { Time: true }, renameByName: Object.fromEntries([['run', 'Run'], ['worker', 'Worker'], ...columns.map(([letter, column]) => [`Value #${letter}`, column])]) } },
    ],
    overrides: columns.map(([, column, unit]) => ({ column, properties: [{ id: 'unit', value: unit }, ...(unit === 'none' || unit === 's' ? [{ id: 'decimals', value: 2 }] : [])] })),
  })
  board.bars({
    title: 'Stragglers', description: 'Time for a lane, by that of the middle worker.', unit: 'none', decimals: 2, width: 8, height: 10,
    steps: [{ colour: 'green', from: null }, { colour: 'orange', from: 1.25 }, { colour: 'red', from: 1.5 }],
    queries: [{ expr: LANE_TIME_RATIO, legend: LEGEND }],
  })
}

function work(board: Board): void {
  board.row('Work')
  board.curves({ title: 'Images a second', description: 'Counted of each worker, as the coordinator has it.', unit: 'none', min: 0, stacked: true, width: 12, queries: [{ expr: ratePerWorker('herd_member_images_total'), legend: LEGEND }] })
  board.curves({ title: 'Lanes a second', description: 'Counted of each worker. Shares follow speed; a worker that lags gets fewer.', unit: 'none', min: 0, stacked: true, width: 12, queries: [{ expr: ratePerWorker('herd_member_lanes_total'), legend: LEGEND }] })
  board.curves({ title: 'Time for a lane', description: 'As the coordinator measures it to deal by.', unit: 's', min: 0, width: 12, queries: [{ expr: `herd_member_lane_seconds{${CHOSEN}}`, legend: LEGEND }] })
  board.curves({
    title: 'Computing a lane', description: "By the workers' own metrics: the middle one, and the longest of a hundred.", unit: 's', min: 0, width: 12,
    queries: [0.5, 0.99].map((q) => ({ expr: `histogram_quantile(${q}, sum by (run, worker, le) (rate(herd_worker_lane_duration_seconds_bucket{${CHOSEN}}[$__rate_interval])))`, legend: `{{worker}} ${q === 0.5 ? 'median' : '99th percentile'}` })),
  })
  board.curves({ title: 'Owed', description: 'Lanes or test blocks that a worker has been dealt and has not delivered.', unit: 'none', min: 0, width: 12, queries: [{ expr: `herd_member_owed_units{${CHOSEN}}`, legend: LEGEND }] })
  board.curves({
    title: 'Queues', description: 'By the workers themselves: lanes to compute, and lanes whose images are ready ahead. Where none is ready, decoding is what limits.', unit: 'none', min: 0, width: 12,
    queries: [{ expr: `herd_worker_owed_lanes{${CHOSEN}}`, legend: '{{worker}} to compute' }, { expr: `herd_worker_prepared_lanes{${CHOSEN}}`, legend: '{{worker}} ready ahead' }],
  })
}

function time(board: Board): void {
  board.row("Where workers' time goes")
  const share = (title: string, description: string, metric: string): void => board.curves({ title, description, unit: 'percentunit', min: 0, width: 6, queries: [{ expr: ratePerWorker(metric), legend: LEGEND }] })
  share('Computing', 'Share of time. The rest is waiting, or evaluation.', 'herd_worker_lane_duration_seconds_sum')
  share('Waiting for weights', 'For the other workers, the reduce and the network.', 'herd_worker_weights_wait_seconds_total')
  share('Waiting for images', 'For decoding, the disk or the network.', 'herd_worker_input_wait_seconds_total')
  share('Uploading', 'It overlaps with computing.', 'herd_worker_upload_seconds_total')
}

function input(board: Board): void {
  board.row('Images')
  const hitsAndMisses = (cache: string): Query[] => [
    { expr: ratePerWorker(`herd_worker_${cache}_cache_hits_total`), legend: '{{worker}} found' },
    { expr: ratePerWorker(`herd_worker_${cache}_cache_misses_total`), legend: '{{worker}} not found' },
  ]
  board.curves({ title: 'Decoding and transforming', description: 'Seconds a second; several images are decoded at a time, so that it can be more than one.', unit: 'none', min: 0, width: 6, queries: [{ expr: ratePerWorker('herd_worker_decode_seconds_total'), legend: '{{worker}} decoding' }, { expr: ratePerWorker('herd_worker_augment_seconds_total'), legend: '{{worker}} transforming' }] })
  board.curves({ title: 'Decoded images in memory', description: 'Images a second that were there, or not. From the second epoch on they are there, as far as memory allows; the others are looked for in the cache file.', unit: 'none', min: 0, width: 6, queries: hitsAndMisses('decoded') })
  board.curves({ title: 'Decoded images in the cache file', description: 'Images a second that were not in memory: they were in the file, or had to be decoded. From the second epoch on nothing is, as far as --cache-size allows.', unit: 'none', min: 0, width: 6, queries: hitsAndMisses('pixel') })
  board.curves({ title: 'Image files on disk', description: "Of workers without --data: files a second that their cache had, or that were fetched from the coordinator.", unit: 'none', min: 0, width: 6, queries: hitsAndMisses('image') })
  board.curves({
    title: 'Traffic of the cache file', description: 'Pixels that were read from it, and written to it.', unit: 'binBps', min: 0, width: 8,
    queries: [{ expr: ratePerWorker('herd_worker_pixel_cache_read_bytes_total'), legend: '{{worker}} read' }, { expr: ratePerWorker('herd_worker_pixel_cache_written_bytes_total'), legend: '{{worker}} written' }],
  })
  board.curves({ title: 'Damaged in the cache file', description: 'Images a second that were damaged or gone when they were read, and were decoded. Should be none.', unit: 'none', min: 0, width: 8, queries: [{ expr: ratePerWorker('herd_worker_pixel_cache_damaged_total'), legend: LEGEND }] })
  board.curves({ title: 'Memory and file of decoded images', description: 'At most 192 MiB of memory of each worker; the file is the one of its machine, at most --cache-size.', unit: 'bytes', min: 0, width: 8, queries: [{ expr: `herd_worker_decoded_cache_bytes{${CHOSEN}}`, legend: '{{worker}} memory' }, { expr: `herd_worker_pixel_cache_bytes{${CHOSEN}}`, legend: '{{worker}} file' }] })
}

function machines(board: Board): void {
  board.row('Machines')
  board.curves({ title: 'Memory', description: 'Resident, of each worker with its compute process.', unit: 'bytes', min: 0, width: 8, queries: [{ expr: `herd_member_resident_memory_bytes{${CHOSEN}}`, legend: LEGEND }] })
  board.curves({ title: 'Processor time of main processes', description: 'Cores: exchange, decoding and transforming. Compute processes are not in it.', unit: 'none', min: 0, width: 8, queries: [{ expr: ratePerWorker('process_cpu_seconds_total'), legend: LEGEND }] })
  board.curves({
    title: 'Traffic', description: "Each worker's, as the coordinator has it: gradients from it, weights and images to it.", unit: 'binBps', min: 0, width: 8,
    queries: [{ expr: ratePerWorker('herd_member_received_bytes_total'), legend: '{{worker}} gradients' }, { expr: ratePerWorker('herd_member_sent_bytes_total'), legend: '{{worker}} weights, images' }],
  })
  board.table({
    title: 'What they compute with', description: 'Engine, precision, device and version of each worker whose metrics are scraped. Workers of different kinds can round differently.', unit: 'none', width: 24, height: 6,
    queries: [{ expr: `herd_worker_info{${CHOSEN}}`, legend: LEGEND }],
    transformations: [{ id: 'organize', options: { excludeByName: { Time: true, Value: true, __name__: true, job: true }, renameByName: {} } }],
  })
}

function trouble(board: Board): void {
  board.row('Losses')
  board.curves({
    title: 'Workers by state', description: 'Computing: they owe units. Draining: they finish and leave.', unit: 'none', min: 0, stacked: true, width: 8,
    queries: ['computing', 'idle', 'draining'].map((state) => ({ expr: `herd_workers{run=~"$run",state="${state}"}`, legend: state })),
  })
  board.curves({
    title: 'Lost and started again', description: 'Workers that were lost, as the coordinator counts them; and how often a worker of a name was started anew within ten minutes.', unit: 'none', min: 0, width: 8,
    queries: [{ expr: 'herd_workers_lost_total{run=~"$run"}', legend: 'lost' }, { expr: `sum by (worker) (changes(process_start_time_seconds{${CHOSEN}}[10m]) + 1) - 1`, legend: '{{worker}} started again' }],
  })
  board.curves({
    title: 'Units that were not computed once', description: 'Lanes and test blocks that were dealt again after a loss, taken over from stragglers, or dropped since somebody else was sooner. All are counted exactly once.', unit: 'none', min: 0, width: 8,
    queries: [
      { expr: 'sum by (run) (herd_units_dealt_total{run=~"$run"})', legend: 'dealt' },
      { expr: 'herd_units_dealt_again_total{run=~"$run"}', legend: 'dealt again' },
      { expr: 'herd_units_taken_over_total{run=~"$run"}', legend: 'taken over' },
      { expr: 'herd_units_dropped_total{run=~"$run"}', legend: 'dropped' },
    ],
  })
}
