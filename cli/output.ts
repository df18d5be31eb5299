/** Results go to standard output, through here; notices and progress go to standard error. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** One line of JSON, for machines. Numbers that JSON does not have (NaN of a diverged run) are null. */
export function printJson(value: object): void {
  print(JSON.stringify(value))
}

/** `herd predict ... | head -1` closes the pipe early: that is no failure. */
export function endWhenNobodyReads(output: NodeJS.WriteStream): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** "1 image", "2 images". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`
}

/** Rows in columns: the first one to the left, the others, which are numbers, to the right. */
export function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ').trimEnd())
}
