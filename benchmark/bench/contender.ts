/** One who is measured against others. */
export interface Contender {
  name: string
  /** @returns what one round measured, in the unit of the section */
  round(): Promise<number>
  close(): Promise<void>
}

/**
 * Starts contenders one after the other, and lets them take turns, so that a machine that grows slower or faster does so for all of
 * them; who begins changes from round to round. Whatever happens, they are closed in the end.
 * @returns by contender, a value of each round
 */
export async function alternate(starts: readonly (() => Promise<Contender>)[], rounds: number, log: (line: string) => void): Promise<Map<string, number[]>> {
  const contenders: Contender[] = []
  const values = new Map<string, number[]>()
  try {
    for (const start of starts) {
      const contender = await start()
      contenders.push(contender)
      values.set(contender.name, [])
      log(`${contender.name} is ready`)
    }
    for (let round = 0; round < rounds; round++) {
      for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) values.get(contender.name)?.push(await contender.round())
      log(`round ${round + 1} of ${rounds}`)
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.close()))
  }
  return values
}
