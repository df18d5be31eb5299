import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'

/** A sample, [seconds since 1970, value]. Prometheus writes values as text, since JSON has neither NaN nor infinity. */
const point = z.tuple([z.number(), z.string().transform((value) => (value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value)))])
const labels = z.record(z.string(), z.string())
const success = <T extends z.ZodType>(data: T): z.ZodObject<{ status: z.ZodLiteral<'success'>; data: T }> => z.object({ status: z.literal('success'), data })
const matrix = success(z.object({ resultType: z.literal('matrix'), result: z.array(z.object({ metric: labels, values: z.array(point) })) }))
const vector = success(z.object({ resultType: z.literal('vector'), result: z.array(z.object({ metric: labels, value: point })) }))
const words = success(z.array(z.string()))

export interface Series {
  labels: Record<string, string>
  values: number[]
}

/** A real Prometheus on a free port, with its data in a folder of its own. */
export class Prometheus {
  readonly #url: string
  readonly #stop: () => Promise<void>

  private constructor(url: string, stop: () => Promise<void>) {
    this.#url = url
    this.#stop = stop
  }

  /** Starts Prometheus. @throws Error with its output if it does not start. */
  static async start(folder: string, configuration: string): Promise<Prometheus> {
    await mkdir(folder)
    const file = path.join(folder, 'prometheus.yml')
    await writeFile(file, configuration)
    const child = spawn('prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${path.join(folder, 'data')}`, '--web.listen-address=127.0.0.1:0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
    let said = ''
    const address = await new Promise<string>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => reject(new Error(`prometheus ended:\n${said}`)))
      child.stderr.on('data', (data: Buffer) => {
        said += data.toString()
        const listening = /msg="Listening on" address=(\S+)/.exec(said)
        if (listening !== null) resolve(listening[1])
      })
    })
    return new Prometheus(`http://${address}`, () => {
      child.kill('SIGKILL')
      return ended
    })
  }

  /** Present values of a query, one for each series. */
  async now(query: string): Promise<number[]> {
    const { data } = await this.#get('query', { query }, vector)
    return data.result.map((series) => series.value[1])
  }

  /** Values of a query over the last seconds, as a panel of Grafana asks for them. */
  async over(seconds: number, stepSeconds: number, query: string): Promise<Series[]> {
    const end = Date.now() / 1000
    const { data } = await this.#get('query_range', { query, start: String(end - seconds), end: String(end), step: String(stepSeconds) }, matrix)
    return data.result.map((series) => ({ labels: series.metric, values: series.values.map(([, value]) => value) }))
  }

  /** Values that a label has in a metric's series, as Grafana's `label_values(metric, label)` asks for them. */
  async labelValues(metric: string, label: string): Promise<string[]> {
    return (await this.#get(`label/${label}/values`, { 'match[]': metric }, words)).data
  }

  /** Repeats a query until it gives exactly this one value. @throws Error with the last result if that takes too long. */
  async waitFor(query: string, value: number, patienceSeconds: number): Promise<void> {
    const end = Date.now() + patienceSeconds * 1000
    for (;;) {
      const values = await this.now(query).catch((error: unknown) => String(error))
      if (Array.isArray(values) && values.length === 1 && values[0] === value) return
      if (Date.now() > end) throw new Error(`${query}: expected ${value} within ${patienceSeconds} s, got ${String(values) || 'nothing'}`)
      await sleep(200)
    }
  }

  stop(): Promise<void> {
    return this.#stop()
  }

  async #get<T extends z.ZodType>(what: string, parameters: Record<string, string>, schema: T): Promise<z.infer<T>> {
    const response = await fetch(`${this.#url}/api/v1/${what}?${new URLSearchParams(parameters).toString()}`)
    const text = await response.text()
    if (!response.ok) throw new Error(`${JSON.stringify(parameters)}: ${text}`)
    return schema.parse(JSON.parse(text))
  }
}
