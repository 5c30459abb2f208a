import { parse, stringify, YAMLError } from 'yaml';
import { isMapping, type Mapping } from '../mapping.ts';
import { closestTo } from './options.ts';
import { type Answers, answerNames, questions, type TypedAnswers, typedAnswers } from './questions.ts';
import { Refusal, reasonOfParser } from './refusal.ts';

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
    if (name === undefined) {
      const closest = closestTo(option, [...names.keys()]);
      throw new Refusal(
        `${source}: there is no option ${option}${closest ? `; did you mean ${closest}?` : '.'}`,
      );
    }
    try {
      const word = asText(value);
      questions[name].check(word);
      typed[name] = word;
    } catch (error) {
      throw new Refusal(`${source}: ${option}: ${(error as Error).message}`);
    }
  }
  return typed;
}

function parsed(text: string, source: string): Mapping {
  try {
    const tree: unknown = parse(text) ?? {};
    if (isMapping(tree)) return tree;
  } catch (error) {
    if (!(error instanceof YAMLError)) throw error;
    throw new Refusal(`${source} is no YAML: ${reasonOfParser(error)}`);
  }
  throw new Refusal(`${source} has no names of options with values, such as "concurrent: 4".`);
}

function asText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
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
