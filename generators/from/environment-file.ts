import { interpolate } from './interpolate.ts';
import type { Variables } from './shell.ts';

/**
 * The variables of a .env, or of an env_file, as Compose reads it: nothing in single quotes is put in, and in double ones
 * backslashes count too.
 * https://docs.docker.com/reference/compose-file/services/#env_file-format
 *
 * @param known those that may be put in beside its own
 */
export function readEnvironment(text: string, known: Readonly<Variables> = {}): Variables {
  const variables: Variables = {};
  const filled = (value: string) => interpolate(value, { ...known, ...variables }, () => undefined);
  const line =
    /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:][ \t]*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\r\n]*))/gms;
  for (const [, name = '', single, double, plain = ''] of text.replace(/^\ufeff/, '').matchAll(line)) {
    if (single !== undefined) variables[name] = single.replace(/\\'/g, "'");
    else if (double !== undefined) variables[name] = filled(unescaped(double));
    else variables[name] = filled(plain.replace(/(^|\s+)#.*$/, '').trim());
  }
  return variables;
}

/**
 * The variables of a file as `docker run --env-file` reads it: lines as they stand, quotes and all; a name alone passes one on.
 * https://docs.docker.com/reference/cli/docker/container/run/#env
 */
export function readPlainEnvironment(text: string, passedOn: Readonly<Variables>): Variables {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .map(line => line.trimStart());
  return Object.fromEntries(
    lines
      .filter(line => line !== '' && !line.startsWith('#'))
      .flatMap(line => {
        const [, name = line, value] = /^([^=]+)=(.*)$/s.exec(line) ?? [];
        return value === undefined && passedOn[name] === undefined ? [] : [[name, value ?? passedOn[name]!]];
      }),
  );
}

const unescaped = (text: string): string =>
  text.replace(/\\(.)/gs, (_, sign: string) => ({ n: '\n', r: '\r', t: '\t', $: '$$' })[sign] ?? sign);

/** A line of .env that Node.js and Compose read alike; undefined where there is none for that value. */
export function environmentLine(name: string, value: string): string | undefined {
  if (/^[\w.:/@+-]*$/.test(value)) return `${name}=${value}`;
  if (!/['\r\n]/.test(value)) return `${name}='${value}'`;
  return /["$\\\r\n]/.test(value) ? undefined : `${name}="${value}"`;
}
