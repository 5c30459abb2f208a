import type { Variables } from './shell.ts';

/** What Compose finds wrong with variables, in words. */
type Note = (text: string) => void;

/**
 * Puts variables into a text as Compose does: `$NAME`, `${NAME}`, `$$` for `$`, and with another text where one is set or not:
 * https://docs.docker.com/reference/compose-file/interpolation/
 *
 * @param note is told of variables that nothing sets
 */
export function interpolate(text: string, variables: Readonly<Variables>, note: Note): string {
  let result = '';
  for (let at = 0; at < text.length; ) {
    const [, dollar, plain] = /^\$(?:(\$)|([a-z_]\w*))/i.exec(text.slice(at)) ?? [];
    if (dollar || plain) {
      result += dollar ?? plainValue(plain!, variables, note);
      at += 1 + (dollar ?? plain!).length;
    } else if (text.startsWith('${', at)) {
      const end = closing(text, at);
      result += braced(text.slice(at + 2, end), variables, note);
      at = end + 1;
    } else {
      result += text[at];
      at += 1;
    }
  }
  return result;
}

/** What stands in the braces: a name, and what counts where it is set, or not set, or empty. */
function braced(text: string, variables: Readonly<Variables>, note: Note): string {
  const [whole, name = '', colon, sign, other = ''] = /^([a-z_]\w*)(?:(:?)([-+?])(.*))?$/is.exec(text) ?? [];
  if (whole === undefined) {
    note('something in ${} that is no variable');
    return '';
  }
  const value = variables[name];
  const isSet = value !== undefined && (colon !== ':' || value !== '');
  if (sign === undefined) return plainValue(name, variables, note);
  if (sign === '+') return isSet ? interpolate(other, variables, note) : '';
  if (isSet) return value;
  if (sign === '-') return interpolate(other, variables, note);
  note(`the variable ${name}, which has to be set`);
  return '';
}

function plainValue(name: string, variables: Readonly<Variables>, note: Note): string {
  const value = variables[name];
  if (value === undefined) note(`the variable ${name}: nothing sets it, so it is taken as empty`);
  return value ?? '';
}

/** Where the brace ends that opens there: others may be in it. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0 && text[at] === '}') return at;
  }
  return text.length;
}
