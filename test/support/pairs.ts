/** One value for each parameter. */
export type Row<Value> = Readonly<Record<string, Value>>;

/** Two parameters, each with a value. */
type Pair<Value> = readonly [one: string, value: Value, other: string, otherValue: Value];

/** Every pair of values of two parameters, in the order of the parameters. */
export function pairsOf<Value>(values: Readonly<Record<string, readonly Value[]>>): Pair<Value>[] {
  const names = Object.keys(values);
  return names.flatMap((one, at) =>
    names
      .slice(at + 1)
      .flatMap(other =>
        values[one]!.flatMap(value =>
          values[other]!.map(otherValue => [one, value, other, otherValue] as const),
        ),
      ),
  );
}

export const holds = <Value>(row: Row<Value>, [one, value, other, otherValue]: Pair<Value>): boolean =>
  row[one] === value && row[other] === otherValue;

/**
 * Rows in which every pair of values stands together at least once, few instead of the product of all.
 * The same parameters always give the same rows.
 *
 * @param seeds rows to begin with; a pair that is allowed beside none of them is left out
 * @param isAllowed whether the values of a row go together
 */
export function coverPairs<Value>(
  values: Readonly<Record<string, readonly Value[]>>,
  seeds: readonly Row<Value>[],
  isAllowed: (row: Row<Value>) => boolean,
): { rows: Row<Value>[]; impossible: Pair<Value>[] } {
  let open = pairsOf(values);
  const rows: Row<Value>[] = [];
  const impossible: Pair<Value>[] = [];
  const gain = (row: Row<Value>) => open.filter(pair => holds(row, pair)).length;
  for (let [first] = open; first !== undefined; [first] = open) {
    const [one, value, other, otherValue] = first;
    const candidates = seeds.map(seed => ({ ...seed, [one]: value, [other]: otherValue })).filter(isAllowed);
    if (candidates.length === 0) {
      impossible.push(first);
      open = open.slice(1);
      continue;
    }
    const best = (some: Row<Value>[]) => some.reduce((a, b) => (gain(b) > gain(a) ? b : a));
    let row = best(candidates);
    // Each parameter takes the value that covers most, beside those that the others have by now.
    for (const name of Object.keys(values).filter(name => name !== one && name !== other)) {
      const others = values[name]!.map(another => ({ ...row, [name]: another })).filter(isAllowed);
      row = best([row, ...others]);
    }
    rows.push(row);
    open = open.filter(pair => !holds(row, pair));
  }
  return { rows, impossible };
}
