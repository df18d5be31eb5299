/** Prints a line of the result to standard output; notices and progress go to standard error. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Prints one line of JSON, for machines. Numbers that JSON does not have (NaN of a diverged run) become null. */
export function printJson(value: object): void {
  print(JSON.stringify(value))
}

/**
 * Ends the process when its output cannot be written: with exit code 0 if the reader closes the pipe early, as `herd predict ... | head -1` does; with
 * exit code 1 and the reason otherwise, as on a full disk.
 */
export function endWhenNobodyReads(output: NodeJS.WriteStream): void {
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    process.stderr.write(`error: standard output cannot be written: ${error.message}.\n`)
    process.exit(1)
  })
}

/** Formats a share: 0.123 as "12.3 %". */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

/** A count with its noun, which is plural unless the count is 1: "1 image", "2 images". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`
}

/** Aligns rows in columns: the first column to the left, the others, which are numbers, to the right. */
export function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, column) => rows.reduce((widest, row) => Math.max(widest, row[column].length), 0))
  return rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join('  ').trimEnd())
}

/** Formats a line of comma-separated values by RFC 4180, without its end. */
export function csvLine(cells: readonly string[]): string {
  return cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')
}
