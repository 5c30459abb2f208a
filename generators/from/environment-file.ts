import { interpolate } from './interpolate.ts';
import type { Variables } from './shell.ts';

/**
 * The variables of a .env, as Compose reads it: nothing in single quotes is put in, and in double ones backslashes count too.
 * https://docs.docker.com/reference/compose-file/services/#env_file-format
 */
export function readEnvironment(text: string): Variables {
  const variables: Variables = {};
  const line =
    /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:][ \t]*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^\r\n]*))/gms;
  for (const [, name = '', single, double, plain = ''] of text.replace(/^\ufeff/, '').matchAll(line)) {
    if (single !== undefined) variables[name] = single.replace(/\\'/g, "'");
    else if (double !== undefined)
      variables[name] = interpolate(unescaped(double), variables, () => undefined);
    else variables[name] = interpolate(plain.replace(/(^|\s+)#.*$/, '').trim(), variables, () => undefined);
  }
  return variables;
}

const unescaped = (text: string): string =>
  text.replace(/\\(.)/gs, (_, sign: string) => ({ n: '\n', r: '\r', t: '\t', $: '$$' })[sign] ?? sign);

/** A line of .env that Node.js and Compose read alike; undefined where there is none for that value. */
export function environmentLine(name: string, value: string): string | undefined {
  if (/^[\w.:/@+-]*$/.test(value)) return `${name}=${value}`;
  if (!/['\r\n]/.test(value)) return `${name}='${value}'`;
  return /["$\\\r\n]/.test(value) ? undefined : `${name}="${value}"`;
}
