/** A program, or a way of doing something, that is measured against others. */
export interface Contender {
  name: string
  /** Measures one round. @returns the result in the unit of the section */
  round(): Promise<number>
  close(): Promise<void>
}

/**
 * Starts contenders one after the other, and lets them take turns, so that a machine that becomes slower or faster does so for all of
 * them; the order is reversed from round to round. All contenders are closed in the end, even after an error.
 * @returns one value per round, by contender's name
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
