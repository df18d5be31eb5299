/**
 * Non-negative least squares, weighted so that relative differences count: finds the coefficients whose products with `rows` come
 * nearest to `values`. Costs cannot be negative: columns whose coefficients would be are left out one by one, the most negative first
 * (active set), which finds the best solution for the few columns here.
 * @param rows one row for each measurement, one column for each coefficient; all rows are equally long
 * @param values one positive value for each row
 * @returns a coefficient for each column; 0 for columns that are left out, and for those that other columns already explain
 */
export function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const columns = rows[0].length
  const active = new Set(Array.from({ length: columns }, (_, column) => column))
  for (;;) {
    const used = [...active]
    const solution = solve(rows.map((row) => used.map((column) => row[column])), values)
    const lowest = solution.reduce((least, value, place) => (value < solution[least] ? place : least), 0)
    if (solution.length === 0 || solution[lowest] >= 0) {
      const coefficients = new Array<number>(columns).fill(0)
      used.forEach((column, place) => (coefficients[column] = solution[place]))
      return coefficients
    }
    active.delete(used[lowest])
  }
}

/** Solves the normal equations of rows divided by their values, with columns brought to the same scale: here they are few and far from parallel. */
function solve(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const columns = rows[0].length
  const scale = Array.from({ length: columns }, (_, column) => Math.hypot(...rows.map((row, place) => row[column] / values[place])) || 1)
  const relative = rows.map((row, place) => row.map((cell, column) => cell / values[place] / scale[column]))
  const matrix = Array.from({ length: columns }, (_, i) => [
    ...Array.from({ length: columns }, (__, j) => relative.reduce((sum, row) => sum + row[i] * row[j], 0)),
    relative.reduce((sum, row) => sum + row[i], 0),
  ])
  return eliminate(matrix).map((value, column) => value / scale[column])
}

/** Pivot below which a column counts as a combination of others. */
const PARALLEL = 1e-9

/** Gauss-Jordan elimination on [A | b] with pivots; a column that is a combination of others gets 0. */
function eliminate(matrix: number[][]): number[] {
  const size = matrix.length
  const rowOf: (number | undefined)[] = []
  let done = 0
  for (let column = 0; column < size; column++) {
    let pivot = done
    for (let row = done; row < size; row++) if (Math.abs(matrix[row][column]) > Math.abs(matrix[pivot][column])) pivot = row
    if (done === size || Math.abs(matrix[pivot][column]) < PARALLEL) {
      rowOf.push(undefined)
      continue
    }
    ;[matrix[done], matrix[pivot]] = [matrix[pivot], matrix[done]]
    const head = matrix[done]
    for (let row = 0; row < size; row++) {
      const factor = row === done ? 0 : matrix[row][column] / head[column]
      for (let cell = column; factor !== 0 && cell <= size; cell++) matrix[row][cell] -= factor * head[cell]
    }
    rowOf.push(done++)
  }
  return rowOf.map((row, column) => (row === undefined ? 0 : matrix[row][size] / matrix[row][column]))
}
