import { parse, stringify } from 'yaml';

/**
 * How a value is written in each format. Every function returns text that its format's own parser reads
 * back as exactly the value given.
 */

/**
 * A YAML scalar or one-line list, quoted only where it must be.
 *
 * GitLab reads YAML 1.1 and Compose reads 1.2: what is plain text in one can be a number or a boolean in
 * the other (`on`, `0o17`), so a plain form is used only where both agree.
 */
export function yaml(value: string | readonly string[]): string {
  if (typeof value !== 'string') return `[${value.map(item => yamlItem(item)).join(', ')}]`;
  const plain = stringify(value, { lineWidth: 0 }).trimEnd();
  return readsAs(plain, value) ? plain : JSON.stringify(value);
}

function yamlItem(item: string): string {
  const plain = yaml(item);
  return readsAs(`[${plain}]`, [item]) ? plain : JSON.stringify(item);
}

function readsAs(text: string, value: unknown): boolean {
  return (['1.1', '1.2'] as const).every(version => {
    try {
      return JSON.stringify(parse(text, { version })) === JSON.stringify(value);
    } catch {
      return false;
    }
  });
}

/** A TypeScript literal, in single quotes where the value allows. */
export function typescript(value: string | number | boolean | readonly string[]): string {
  if (Array.isArray(value)) return `[${value.map(item => typescript(item)).join(', ')}]`;
  if (typeof value === 'string' && !/['\\]/.test(value)) return `'${value}'`;
  return JSON.stringify(value);
}

/** Text in Markdown: whatever could be read as mark-up is escaped. */
export function markdown(text: string): string {
  return text
    .replace(/[\\`*_[\]<>&#!|~$:@]/g, '\\$&')
    .replace(/^([-+=])/, '\\$1')
    .replace(/^(\d+)([.)])/, '$1\\$2');
}

/** One word of a POSIX shell command, quoted only where it must be. */
export function shell(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
