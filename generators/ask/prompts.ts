import { type Engine, refuses } from '../plan/engine.ts';
import { reconsider, refuseTogether, together, usable } from './answers.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  deciding,
  defaultFor,
  questions,
  type TypedAnswers,
  usesHostEngine,
} from './questions.ts';

/** What was answered so far, by the names of the prompts: text, or yes and no as booleans. */
export type Answered = Readonly<Record<string, string | boolean | undefined>>;

type Choice = { readonly value: string; readonly name: string; readonly description: string };

/** One prompt, as Inquirer of Yeoman takes it too; what is a function depends on the answers so far. */
export interface Prompt {
  readonly name: string;
  readonly type: 'input' | 'confirm' | 'select';
  readonly message: string | ((answered: Answered) => string);
  readonly default: string | boolean | undefined | ((answered: Answered) => unknown);
  readonly choices?: (answered: Answered) => Choice[];
  /** Whether it comes up; without this it does. */
  readonly when?: (answered: Answered) => boolean;
  /** Whether that is an answer: true, or the sentence of the refusal. */
  readonly validate?: (typed: string, answered?: Answered) => true | string;
}

/** The name of the one prompt that is no question: whether to ask the rarer ones too. */
export const more = 'more';

/**
 * The questions that are still open, as prompts.
 *
 * @param known answers that an earlier run saved; they are offered as defaults
 * @param given answers that options gave; they are not asked for
 * @param engine the local engine, if one answers: an image that it refuses is marked, and not the default
 * @param names what is asked for at all
 */
export function prompts(
  known: TypedAnswers,
  given: TypedAnswers,
  engine: Engine | undefined,
  names: readonly AnswerName[] = answerNames,
): Prompt[] {
  const open = names.filter(name => given[name] === undefined);
  const usual = open.filter(name => !questions[name].rare);
  const rare = open.filter(name => questions[name].rare);
  const gate: Prompt = {
    name: more,
    type: 'confirm',
    message: `More questions? (${rare.flatMap(name => questions[name].topic ?? []).join(', ')})`,
    default: false,
  };
  return [...usual, ...(rare.length > 0 ? [gate] : []), ...rare].map(item =>
    typeof item === 'string' ? promptFor(item, usable(known), given, engine) : item,
  );
}

/** The answers that there are when one question comes up, whichever way each was given. */
class Standing {
  readonly #name: AnswerName;
  readonly #known: TypedAnswers;
  readonly #given: TypedAnswers;

  constructor(name: AnswerName, known: TypedAnswers, given: TypedAnswers) {
    this.#name = name;
    this.#known = known;
    this.#given = given;
  }

  /** The answer to a question, as it would be typed. */
  answer(name: AnswerName, answered: Answered): string {
    const [given, known] = [this.#given, this.#known];
    const builder = String(answered.builder ?? given.builder ?? known.builder ?? questions.builder.default);
    const saved = reconsider(known, builder);
    return asTyped(name, answered[name] ?? given[name] ?? saved[name] ?? defaultFor(name, builder));
  }

  /** The default of the question. */
  byDefault(answered: Answered): string {
    return this.answer(this.#name, { ...answered, [this.#name]: undefined });
  }

  checked<const Name extends AnswerName>(names: readonly Name[], answered: Answered): Pick<Answers, Name> {
    const pairs = names.map(name => [name, questions[name].check(this.answer(name, answered))]);
    return Object.fromEntries(pairs) as Pick<Answers, Name>;
  }

  /** Whether a value is an answer, and goes with the others: true, or the sentence of the refusal. */
  goes(value: string, answered: Answered): true | string {
    return sentenceAgainst(text => {
      questions[this.#name].check(text);
      refuseTogether(this.checked(together, { ...answered, [this.#name]: text }));
    }, value);
  }
}

function promptFor(
  name: AnswerName,
  known: TypedAnswers,
  given: TypedAnswers,
  engine: Engine | undefined,
): Prompt {
  const { message, choices, yesNo, check, rare, matters } = questions[name];
  const standing = new Standing(name, known, given);
  const byDefault = (answered: Answered) => standing.byDefault(answered);
  const when = (answered: Answered) =>
    (!rare || answered[more] === true) && (matters?.(standing.checked(deciding, answered)) ?? true);
  if (choices) {
    const open = (answered: Answered) =>
      Object.entries(choices)
        .filter(([value]) => standing.goes(value, answered) === true)
        .map(([value, description]) => ({ value, name: value, description }));
    return { name, message, type: 'select', choices: open, default: byDefault, when };
  }
  if (yesNo) {
    const isYes = (answered: Answered) => check(byDefault(answered));
    return { name, message, type: 'confirm', default: isYes, when };
  }
  const validate = (typed: string, answered: Answered = {}) => standing.goes(typed, answered);
  const isRefused = (answered: Answered) =>
    name === 'dockerImage' &&
    engine !== undefined &&
    usesHostEngine(standing.checked(['builder'], answered).builder) &&
    refuses(engine, byDefault(answered));
  return {
    ...{ name, type: 'input', validate, when },
    message: (answered: Answered) =>
      isRefused(answered)
        ? `${message} (${byDefault(answered)} is refused by this engine: its client is older than API ${engine?.minApiVersion})`
        : message,
    default: (answered: Answered) => (isRefused(answered) ? 'docker:cli' : byDefault(answered)),
  };
}

/** What a prompt wants of a check: true, or the sentence of the refusal. */
export function sentenceAgainst(check: (text: string) => unknown, typed: string): true | string {
  try {
    check(typed);
    return true;
  } catch (error) {
    return (error as Error).message;
  }
}
