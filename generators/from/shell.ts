/** Variables that a script has set so far. */
export type Variables = Record<string, string>;

/** A command as it would be run. */
export interface Command {
  readonly words: readonly string[];
  /** What the script gives it in its environment: what it exports, and what stands before the command. */
  readonly environment: Readonly<Variables>;
}

/**
 * Stands in a word for what only running the script would tell: an unknown variable, the output of a command.
 * No file has it.
 */
export const unknown = '\uffff';

/** Whether a word is in the script as a whole. */
export const isKnown = (word: string): boolean => !word.includes(unknown);

const separators = ['\n', ';', '&', '|', '(', ')'];

/** Where what a command reads or writes goes, such as `>`, `2>>` and `&>`; the file comes after it. */
const redirection = /(?:\d*|&)(?:<<<|<<-?|<>|<&|<|>>|>&|>\||>)[ \t]*/y;

/**
 * The commands of the script that a command has in its words, for `sh -c`, `su -c`, `ssh` or `eval` to run, each with the words that
 * stand before that; undefined where it has none.
 */
export function innerCommands(
  { words, environment }: Command,
  variables: Readonly<Variables>,
): Command[] | undefined {
  const shell = words.findIndex(word => /(^|\/)((ba|da|a|z|k)?sh|su|runuser|ssh|eval)$/.test(word));
  if (shell < 0 || isPrinting(words)) return undefined;
  const isRemote = /(ssh|eval)$/.test(words[shell]!);
  const option = words.findIndex((word, at) => at > shell && /^-\w*c$/.test(word));
  const script = isRemote
    ? words.findIndex((word, at) => at > shell && /\s/.test(word))
    : option < 0
      ? -1
      : option + 1;
  const text = words[script];
  return text === undefined
    ? undefined
    : commandsIn(text, { ...variables }).map(inner => ({
        words: [...words.slice(0, shell), ...inner.words],
        environment: { ...environment, ...inner.environment },
      }));
}

/** Whether it shows its words, and does not run them. */
export const isPrinting = ([program = '']: readonly string[]): boolean => /^(echo|printf)$/.test(program);

/** What a script has set, and whether programs get it. */
interface State {
  readonly variables: Variables;
  readonly exported: Set<string>;
  /** By `set -a`. */
  exportsAll: boolean;
}

/**
 * The commands of a shell script, each as its words: with quotes taken away, and the variables put in that are known.
 * What decides whether a command is run, as `if` and `&&`, and where its output goes, is passed over. What stands in the script
 * for another program to read (`<<EOF`) counts as commands too, since that program may be a shell.
 *
 * @param variables those that are known beforehand, of which a script exports those of `set -a`; it gains what the script sets
 */
export function commandsIn(script: string, variables: Variables = {}): Command[] {
  return commandsOf(script, { variables, exported: new Set(), exportsAll: false });
}

function commandsOf(script: string, state: State): Command[] {
  const { variables } = state;
  const [text, documents] = withoutDocuments(script.replace(/\r\n/g, '\n'));
  const commands: Command[] = [];
  let words: string[] = [];
  const end = () => {
    const command = afterAssignments(words, state);
    if (command.words.length > 0) commands.push(command);
    words = [];
  };
  for (let at = 0; at < text.length; ) {
    const [sign, before] = [text[at]!, text[at - 1] ?? '\n'];
    redirection.lastIndex = at;
    // The name of a pipe that another command fills.
    if (/^[<>]\(/.test(text.slice(at, at + 2))) {
      words.push(unknown);
      at = closing(text, at + 1);
    } else if (redirection.test(text)) [, at] = readWord(text, redirection.lastIndex, variables);
    else if (separators.includes(sign)) {
      end();
      at += 1;
    } else if (text.startsWith('\\\n', at)) at += 2;
    else if (/\s/.test(sign)) at += 1;
    else if (sign === '#' && /[\s;&|()]/.test(before)) at = lineEnd(text, at);
    else {
      const [word, next] = readWord(text, at, variables);
      words.push(word);
      at = next;
    }
  }
  end();
  return [...commands, ...documents.flatMap(document => commandsOf(document, state))];
}

/** The script without what stands in it for other programs to read, and that. */
function withoutDocuments(script: string): [text: string, documents: string[]] {
  const documents: string[] = [];
  const document = /^(?!\s*#)(.*(?<!<)<<-?[ \t]*(["']?)(\w+)\2.*\n)([\s\S]*?)^\t*\3$/gm;
  const text = script.replace(document, (_, line: string, __, ___, body: string) => {
    documents.push(body);
    return line;
  });
  return [text, documents];
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end;
}

/** The word that starts there, and where it ends. */
function readWord(text: string, start: number, variables: Variables): [word: string, end: number] {
  let [word, at] = ['', start];
  while (at < text.length && !/[\s<>]/.test(text[at]!) && !separators.includes(text[at]!)) {
    const [part, next] = readPart(text, at, variables);
    word += part;
    at = next;
  }
  return [word, at];
}

function readPart(text: string, at: number, variables: Variables): [part: string, end: number] {
  const sign = text[at]!;
  if (sign === '\\') return [text[at + 1]?.replace('\n', '') ?? '', at + 2];
  if (sign === "'") {
    const end = endOf(text, "'", at + 1);
    return [text.slice(at + 1, end), end + 1];
  }
  if (sign === '"') return readQuoted(text, at + 1, variables);
  if (sign === '$' || sign === '`') {
    const [part, end] = readDollar(text, at, variables);
    // Out of quotes a shell makes several words of it.
    return [/\s/.test(part) ? unknown : part, end];
  }
  return [sign, at + 1];
}

function readQuoted(text: string, start: number, variables: Variables): [part: string, end: number] {
  let [part, at] = ['', start];
  while (at < text.length && text[at] !== '"') {
    const isEscape = text[at] === '\\' && /[$`"\\\n]/.test(text[at + 1] ?? '');
    const [piece, next] = isEscape
      ? [text[at + 1]!.replace('\n', ''), at + 2]
      : /[$`]/.test(text[at]!)
        ? readDollar(text, at, variables)
        : [text[at]!, at + 1];
    part += piece;
    at = next;
  }
  return [part, at + 1];
}

/** What a variable or a command stands for there. */
function readDollar(text: string, at: number, variables: Variables): [part: string, end: number] {
  const rest = text.slice(at);
  const [here] = /^(?:\$\(\s*pwd\s*\)|`\s*pwd\s*`)/.exec(rest) ?? [];
  if (here) return [variables.PWD || unknown, at + here.length];
  if (rest.startsWith('`')) return [unknown, endOf(text, '`', at + 1) + 1];
  if (rest.startsWith('$(')) return [unknown, closing(text, at + 1)];
  if (rest.startsWith('${')) {
    const end = closing(text, at + 1, '{', '}');
    return [readBraced(text.slice(at + 2, end - 1), variables), end];
  }
  const [whole = '', name = ''] = /^\$(\w+)/.exec(rest) ?? [];
  return whole === '' ? ['$', at + 1] : [variables[name] || unknown, at + whole.length];
}

/** What stands in braces: a name, and what counts where that is set, or not. */
function readBraced(text: string, variables: Variables): string {
  const [, name = '', sign, other = ''] = /^(\w+)(?::?([-=?+])(.*))?$/s.exec(text) ?? [];
  const value = variables[name];
  if (value) return sign === '+' ? readAll(other, variables) : value;
  if (sign !== '-' && sign !== '=') return unknown;
  const instead = readAll(other, variables);
  if (sign === '=') variables[name] = instead;
  return instead;
}

/** The text of several parts, blanks among them. */
function readAll(text: string, variables: Variables): string {
  let [all, at] = ['', 0];
  while (at < text.length) {
    const [part, next] = readPart(text, at, variables);
    all += part;
    at = next;
  }
  return all;
}

function endOf(text: string, sign: string, from: number): number {
  const end = text.indexOf(sign, from);
  return end < 0 ? text.length : end;
}

/** Where the bracket ends that opens there. */
function closing(text: string, open: number, opens = '(', closes = ')'): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === opens) depth += 1;
    if (text[at] === closes) depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

/** The command without what it sets (`NAME=value`, `export`, `set -a`), which is noted. */
function afterAssignments(words: readonly string[], state: State): Command {
  const { variables, exported } = state;
  const [first = ''] = words;
  if (first === 'set') noteExportsAll(words, state);
  const isDeclared = /^(export|readonly|local|declare|typeset)$/.test(first);
  const isExported = first === 'export' || (isDeclared && words.some(word => /^-\w*x/.test(word)));
  const rest = isDeclared ? words.slice(1).filter(word => !word.startsWith('-')) : [...words];
  const own: Variables = {};
  while (isDeclared ? rest.length > 0 : /^\w+=/.test(rest[0] ?? '')) {
    const [, name = '', value] = /^(\w+)(?:=(.*))?$/s.exec(rest.shift()!) ?? [];
    if (value !== undefined) own[name] = value;
    if (isExported) exported.add(name);
  }
  // As of `export $(xargs <.env)`: which they are only it tells, and those of .env are known.
  if (isExported && !words.every(isKnown)) for (const name of Object.keys(variables)) exported.add(name);
  if (rest.length === 0) Object.assign(variables, own);
  const given = Object.entries(variables).filter(([name]) => state.exportsAll || exported.has(name));
  return { words: rest, environment: { ...Object.fromEntries(given), ...own } };
}

/** What is set from `set -a` on is exported, to `set +a`. */
function noteExportsAll(words: readonly string[], state: State): void {
  const [on, off] = ['-', '+'].map(sign =>
    words.some(
      (word, at) =>
        (word.startsWith(sign) && /^.\w*a/.test(word)) ||
        (word === 'allexport' && words[at - 1]?.startsWith(sign)),
    ),
  );
  if (on) state.exportsAll = true;
  if (!off) return;
  for (const name of Object.keys(state.variables)) if (state.exportsAll) state.exported.add(name);
  state.exportsAll = false;
}
