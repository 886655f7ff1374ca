/** Columns as runc lays them out: at least twelve wide, three blanks between, the last one as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(12, ...rows.map((row) => (row[column] ?? '').length + 3)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join(''),
    )
    .map((line) => `${line}\n`)
    .join('')
}
