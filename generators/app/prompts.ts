import { type Engine, refuses } from '../common/engine.ts';
import { reconsider, refuseCache, refuseTogether, together, usable } from './answers.ts';
import {
  type AnswerName,
  answerNames,
  asTyped,
  type Deciding,
  deciding,
  defaultFor,
  questions,
  type TypedAnswers,
  usesHostEngine,
} from './questions.ts';

/** What Inquirer has so far: text, or yes and no as booleans. */
type Answered = Readonly<Record<string, string | boolean | undefined>>;

/** The name of the one prompt that is no question: whether to ask the rarer ones too. */
export const more = 'more';

/**
 * The questions that are still open, as Inquirer asks them.
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
): object[] {
  const open = names.filter(name => given[name] === undefined);
  const usual = open.filter(name => !questions[name].rare);
  const rare = open.filter(name => questions[name].rare);
  const gate = {
    name: more,
    type: 'confirm',
    message:
      'More questions? (platforms, pulls, cache, mirror, private CA, proxy, plain HTTP, hosts, backup, Renovate)',
    default: false,
  };
  return [...usual, ...(rare.length > 0 ? [gate] : []), ...rare].map(item =>
    typeof item === 'string' ? promptFor(item, usable(known), given, engine) : item,
  );
}

function promptFor(
  name: AnswerName,
  known: TypedAnswers,
  given: TypedAnswers,
  engine: Engine | undefined,
): object {
  const { message, choices, yesNo, check, rare, matters } = questions[name];
  /** The answer to another question, as it stands when this one comes up. */
  const soFar = (other: AnswerName, answered: Answered): string => {
    const builder = String(answered.builder ?? given.builder ?? known.builder ?? questions.builder.default);
    const saved = reconsider(known, builder);
    return asTyped(other, answered[other] ?? given[other] ?? saved[other] ?? defaultFor(other, builder));
  };
  const checked = (answered: Answered) => {
    const others = deciding.map(other => [other, questions[other].check(soFar(other, answered))]);
    return Object.fromEntries(others) as Deciding;
  };
  const when = {
    when: (answered: Answered) =>
      (!rare || answered[more] === true) && (matters?.(checked(answered)) ?? true),
  };
  const byDefault = (answered: Answered) => soFar(name, { ...answered, [name]: undefined });

  if (choices) {
    const listed = Object.entries(choices).map(([value, sentence]) => ({
      value,
      name: `${value.padEnd(Math.max(...Object.keys(choices).map(({ length }) => length)))}  ${sentence}`,
      short: value,
    }));
    const taken = (answered: Answered) =>
      listed.filter(
        ({ value }) =>
          sentenceAgainst(() => refuseCache({ ...checked(answered), [name]: value }), value) === true,
      );
    const open = name === 'cache' ? taken : listed;
    return { name, message, type: 'select', choices: open, default: byDefault, ...when };
  }
  if (yesNo) {
    const isYes = (answered: Answered) => check(byDefault(answered));
    return { name, message, type: 'confirm', default: isYes, ...when };
  }
  const validate = (typed: string, answered: Answered = {}) =>
    sentenceAgainst(text => {
      check(text);
      const others = together.map(other => [
        other,
        questions[other].check(soFar(other, { ...answered, [name]: text })),
      ]);
      refuseTogether(Object.fromEntries(others));
    }, typed);
  const isRefused = (answered: Answered) =>
    name === 'dockerImage' &&
    engine !== undefined &&
    usesHostEngine(checked(answered).builder) &&
    refuses(engine, byDefault(answered));
  return {
    name,
    type: 'input',
    validate,
    ...when,
    message: (answered: Answered) =>
      isRefused(answered)
        ? `${message} (${byDefault(answered)} is refused by this engine: its client is older than API ${engine?.minApiVersion})`
        : message,
    default: (answered: Answered) => (isRefused(answered) ? 'docker:cli' : byDefault(answered)),
  };
}

/** What Inquirer wants of a check: true, or the sentence of the refusal. */
export function sentenceAgainst(check: (text: string) => unknown, typed: string): true | string {
  try {
    check(typed);
    return true;
  } catch (error) {
    return (error as Error).message;
  }
}
