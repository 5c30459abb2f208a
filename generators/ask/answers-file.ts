import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { Document, parseAllDocuments, stringify, visit } from 'yaml';
import { isMapping, type Mapping } from '../mapping.ts';
import { shell } from '../write/quoting.ts';
import { optionsElsewhere, sources, switches } from './command-line.ts';
import { whyGone } from './gone.ts';
import { closestTo } from './options.ts';
import {
  type Answers,
  answerNames,
  asTyped,
  questions,
  type TypedAnswers,
  typedAnswers,
} from './questions.ts';
import { Refusal, reasonOfParser, shown } from './refusal.ts';
import { ownOptions } from './usage.ts';

/** Many times what all answers at their longest take. */
const maxBytes = 1024 * 1024;

/**
 * The answers in a file, as `readAnswers` reads them.
 *
 * @throws Refusal if it cannot be read as text, or holds no answers
 */
export function answersIn(path: string): TypedAnswers {
  try {
    return readAnswers(textOf(path), path);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw new Refusal(`--answers: There is no file ${path}: name one, such as --print-answers makes.`);
    if (code === 'EACCES')
      throw new Refusal(`--answers: You may not read ${path}: chmod u+r ${shell(path)}, or name another.`);
    throw new Refusal(`--answers: ${path} cannot be read (${code}): name another file.`);
  }
}

function textOf(path: string): string {
  // Without O_NONBLOCK a pipe that nobody writes to would be waited for.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = fstatSync(file);
    const why = whyNoAnswers(stat);
    if (why !== undefined) throw new Refusal(`--answers: ${path} ${why}`);
    const bytes = readFileSync(file);
    if (isUtf8(bytes)) return bytes.toString();
    throw new Refusal(`--answers: ${path} is not in UTF-8: save it in that encoding.`);
  } finally {
    closeSync(file);
  }
}

/** Why nobody would keep answers there, with what helps. */
function whyNoAnswers(stat: Stats): string | undefined {
  if (stat.isDirectory()) return 'is a folder: name the file in it.';
  if (!stat.isFile()) return 'is no regular file: write the answers into one, and name that.';
  if (stat.size <= maxBytes) return undefined;
  return `has ${Math.ceil(stat.size / 1024)} KiB, and answers take ${maxBytes / 1024} at most: is it that file?`;
}

/**
 * The answers in a YAML text: names of options, each with its value as on the command line, or as a list.
 *
 * @param source the file, for the sentences
 * @throws Refusal if it is no YAML, names no option, or holds what an option would refuse
 */
export function readAnswers(text: string, source: string): TypedAnswers {
  const names = new Map(answerNames.map(name => [questions[name].option, name]));
  const typed: TypedAnswers = {};
  for (const [option, value] of Object.entries(parsed(text, source))) {
    const name = names.get(option);
    if (name === undefined) throw new Refusal(`${source}: ${whyNoAnswer(option, [...names.keys()])}`);
    try {
      const word = asText(value);
      const answer = questions[name].check(word);
      typed[name] = questions[name].yesNo ? asTyped(name, answer) : word;
    } catch (error) {
      throw new Refusal(`${source}: ${option}: ${(error as Error).message}`);
    }
  }
  return typed;
}

/** Options of the command that bring no answer of their own. */
const noAnswers = [
  ...Object.keys({ ...sources, ...switches, ...ownOptions }),
  ...['print-answers', 'help', 'version'],
];

function whyNoAnswer(option: string, known: readonly string[]): string {
  if (noAnswers.includes(option))
    return `${option} is an option of the command, and no answer: take it out, and give --${option} there.`;
  const where = optionsElsewhere('directory').get(option) ?? whyGone(option);
  if (where !== undefined) return `${option} ${where}`;
  const closest = closestTo(option, known);
  return `there is no option ${shown(option)}${closest ? `; did you mean ${closest}?` : '.'}`;
}

/** The tree of the one document; numbers and what is true or false as they are written there. */
function parsed(text: string, source: string): Mapping {
  const documents = parseAllDocuments(text, { logLevel: 'silent' });
  if (documents.length > 1) {
    throw new Refusal(
      `${source} has ${documents.length} YAML documents, one below "---" each: keep the one with the answers.`,
    );
  }
  const [document = new Document()] = documents;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem?.code === 'DUPLICATE_KEY') {
    const name = /^[^\s:]*/.exec(text.slice(problem.pos[0]))?.[0];
    throw new Refusal(`${source} gives ${name} twice: keep one of the lines.`);
  }
  if (problem) throw new Refusal(`${source} is no YAML: ${reasonOfParser(problem)}`);
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'number' || typeof node.value === 'boolean') node.value = node.source;
    },
  });
  const tree = treeOf(document, source);
  if (tree === null || (isMapping(tree) && Object.keys(tree).length === 0)) {
    throw new Refusal(
      `${source} has no answers in it: write lines such as "concurrent: 4", or leave it out for the defaults.`,
    );
  }
  if (isMapping(tree)) return tree;
  throw new Refusal(`${source} has no names of options with values, such as "concurrent: 4".`);
}

function treeOf(document: Document, source: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // Small texts of aliases can stand for more than any memory holds.
    const isTooMuch = /alias count/.test((error as Error).message);
    throw new Refusal(
      isTooMuch
        ? `${source} has more aliases than answers need: write the values out.`
        : `${source} is no YAML: ${reasonOfParser(error)}`,
    );
  }
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(asText).join(',') || ',';
  throw new Refusal('it is no text, number, yes or no, and no list of them.');
}

/** All answers, as `readAnswers` reads them. */
export function writeAnswers(answers: Answers): string {
  const typed = typedAnswers(answers);
  return stringify(Object.fromEntries(answerNames.map(name => [questions[name].option, typed[name]])), {
    lineWidth: 0,
  });
}
