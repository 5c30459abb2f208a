/**
 * How a value is written in each format. Every function returns text that its format's own parser reads
 * back as exactly the value given.
 */

/**
 * A YAML scalar or one-line list, quoted only where it must be.
 *
 * GitLab reads YAML 1.1 with Ruby's Psych, and Compose reads 1.2: what is plain text in one can be a number,
 * a boolean, a date or a symbol in the other (`on`, `oN`, `0o17`, `1,000`, `:name`). So only what starts as
 * a word of ASCII does is ever plain, and only where all agree that it is text.
 */
export function yaml(value: string | readonly string[]): string {
  if (typeof value !== 'string') return `[${value.map(item => yamlItem(item)).join(', ')}]`;
  return isPlainText(value) ? value : JSON.stringify(value);
}

function yamlItem(item: string): string {
  // In a list Psych takes a colon for a key's, whatever follows.
  return isPlainText(item) && !item.includes(':') ? item : JSON.stringify(item);
}

function isPlainText(text: string): boolean {
  return (
    /^[A-Za-z_/$][\w/$.-]*([ :][\w/$.-]+)*$/.test(text) &&
    // e7 is a number to some readers of YAML 1.1.
    !/^(y|n|yes|no|on|off|true|false|null|e\d+)$/i.test(text)
  );
}

/** A TOML value; a number is a whole one. JSON's strings are TOML's basic strings too, but for DEL, which no answer holds (TOML 1.0). */
export function toml(value: string | number | boolean | readonly string[]): string {
  // Of several lines, as scripts are, where they need no escapes.
  if (
    typeof value === 'string' &&
    /^[^\p{Cc}'](?:[^\p{Cc}']|[\n\t]|'(?!''))*\n(?:[^\p{Cc}']|[\n\t])*$/u.test(value)
  )
    return `'''\n${value}'''`;
  return typeof value === 'object' ? `[${value.map(item => toml(item)).join(', ')}]` : JSON.stringify(value);
}

/** A TypeScript literal, in single quotes where the value allows. */
export function typescript(value: string | number | boolean | readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map(item => typescript(item)).join(', ')}]`;
  if (typeof value === 'string' && !/['\\\p{Cc}\p{Cs}\u2028\u2029]/u.test(value)) return `'${value}'`;
  return JSON.stringify(value);
}

/** Text in Markdown: whatever could be read as mark-up is escaped. */
export function markdown(text: string): string {
  return text
    .replace(/[\\`*_[\]<>&#!|~$:@]/g, '\\$&')
    .replace(/(www)\./gi, '$1\\.')
    .replace(/^([-+=])/, '\\$1')
    .replace(/^(\d+)([.)])/, '$1\\$2');
}

/** One word of a POSIX shell command, quoted only where it must be. */
export function shell(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
