/** One line of the table: a value, and where there is something to compare it with, a ratio and its goal. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly ratio?: number;
  /** The ratio must be at most this. */
  readonly goal?: number;
  /** The value must be at most this. */
  readonly limit?: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The rows as a table in plain text. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map(({ what, value, unit, ratio, goal, limit }) => [
    what,
    `${value.toFixed(unit === 's' ? 3 : unit === 'MiB' ? 1 : 0)} ${unit}`,
    ratio === undefined ? '' : `x ${ratio.toFixed(2)}`,
    goal !== undefined ? `at most ${goal}` : limit !== undefined ? `at most ${limit} ${unit}` : '',
    goal !== undefined ? verdict(ratio! <= goal) : limit !== undefined ? verdict(value <= limit) : '',
  ]);
  const all = [['', 'median', 'ratio', 'goal', ''], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map(line => line[column]!.length)));
  return all
    .map(line =>
      line
        .map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function verdict(reached: boolean): string {
  return reached ? 'reached' : 'missed';
}
