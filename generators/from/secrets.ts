import type { TomlTable, TomlValue } from 'smol-toml';

/** Keys, and names of variables, whose values are secrets by their name. */
const secretName =
  /token|secret|passw(or)?d|private_?key|account_?key|access_?key|auth_?config|credential(?!s_?file)/i;
/** Values that are secrets by their look: GitLab's tokens, and accounts in addresses. */
const secretValue = /\b(gl[a-z]{2,6}-[\w-]{8,})|:\/\/[^/\s:@]+(:[^/\s@]*)?@|-----BEGIN/;

/**
 * A table without secrets, which must not come into Git; dates, which no key of config.toml has, go too.
 *
 * @param notUnderstood gains what was left out, by its name and never by its value
 */
export function takeSecrets(
  table: TomlTable,
  notUnderstood: string[],
  path: readonly string[] = [],
): TomlTable {
  const kept: TomlTable = {};
  for (const [key, value] of Object.entries(table)) {
    const at = [...path, key];
    const left = withoutSecrets(value, at, notUnderstood);
    if (left !== undefined) kept[key] = left;
  }
  return kept;
}

function withoutSecrets(
  value: TomlValue,
  path: readonly string[],
  notUnderstood: string[],
): TomlValue | undefined {
  const name = path.join('.');
  if (value instanceof Date) {
    notUnderstood.push(`${name} of config.toml: a date`);
    return undefined;
  }
  if (Array.isArray(value)) return value.flatMap(one => withoutSecrets(one, path, notUnderstood) ?? []);
  if (typeof value === 'object') return takeSecrets(value, notUnderstood, path);
  if (typeof value !== 'string' || value === '') return value;
  const [, variable] = /^(\w+)=(?=.)/.exec(value) ?? [];
  const isNamed = secretName.test(path.at(-1)!) || (variable !== undefined && secretName.test(variable));
  // A path to a secret is none.
  const isPath = /^(\w+=)?\/[\w./-]+$/.test(value);
  if (!secretValue.test(value) && (!isNamed || isPath)) return value;
  notUnderstood.push(
    `${[name, variable].filter(Boolean).join(' ')} of config.toml: it is a secret, which config.toml may not hold in Git`,
  );
  return undefined;
}
