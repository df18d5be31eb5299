/** The value of a metric that has one series, as a program serves it now; undefined where it has none. */
export async function metricOf(url: string, name: string): Promise<number | undefined> {
  const value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await (await fetch(url)).text())?.[1]
  return value === undefined ? undefined : Number(value)
}
