/** The present value of a metric with one series that a program serves; undefined if there is no such metric. */
export async function metricOf(url: string, name: string): Promise<number | undefined> {
  const value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await (await fetch(url)).text())?.[1]
  return value === undefined ? undefined : Number(value)
}
