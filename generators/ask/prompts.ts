import { type Engine, refuses } from '../plan/engine.ts';
import { excludingNames, impliedBy, reconsider, refuseTogether, standing, usable } from './answers.ts';
import {
  type AnswerName,
  type Answers,
  answerNames,
  asTyped,
  deciding,
  defaultFor,
  type Group,
  groups,
  questions,
  type TypedAnswers,
  typedFrom,
  usesHostEngine,
} from './questions.ts';
import { Refusal } from './refusal.ts';

/** What was answered so far, by the names of the prompts: text, yes and no as booleans, and several texts as a list. */
export type Answered = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

interface Choice {
  readonly value: string;
  readonly name: string;
  readonly description?: string;
  /** What stands behind a choice that cannot be made; the description then says why. */
  readonly disabled?: string;
}

/** One prompt, as Inquirer of Yeoman takes it too; what is a function depends on the answers so far. */
export interface Prompt {
  readonly name: string;
  readonly type: 'input' | 'confirm' | 'select' | 'checkbox';
  readonly message: string | ((answered: Answered) => string);
  readonly default?: string | boolean | undefined | ((answered: Answered) => unknown);
  readonly choices?: (answered: Answered) => Choice[];
  /** How many choices are seen at once. */
  readonly pageSize?: number;
  /** Whether it comes up; without this it does. */
  readonly when?: (answered: Answered) => boolean;
  /** Whether that is an answer: true, or the sentence of the refusal. */
  readonly validate?: (typed: string, answered?: Answered) => true | string;
}

/** The name of the prompt that asks what becomes of the other answers, and its choices. */
export const nameOfRest = 'rest';
export const restChoices = {
  usual: 'take the usual ones',
  change: 'choose what to change',
  last: 'keep those of last time',
} as const;
/** The last of them, where there was no last time. */
const likeOlder = 'keep those of the older runner';

/** The name of the prompt that asks what to change. */
export const nameOfChanges = 'changes';

/** What a run goes by, beside what is answered in it. */
export interface Basis {
  /** Answers that an earlier run saved; they are offered as defaults. */
  readonly saved: TypedAnswers;
  /** Whether these are what an older runner told: a question of the basics that it left open is asked. */
  readonly isMovedIn?: boolean;
  /** Answers of a preset, which count where no question is asked. */
  readonly preset?: TypedAnswers;
  /** Answers that options gave; they are not asked for. */
  readonly given: TypedAnswers;
  /** The local engine, if one answers: an image that it refuses is asked for, and not the default. */
  readonly engine: Engine | undefined;
}

/** Each of those questions that is still open, as a prompt. */
export function prompts(basis: Basis, names: readonly AnswerName[]): Prompt[] {
  const checked = withUsable(basis);
  return openOf(checked, names).map(name => promptFor(name, checked, () => true));
}

/**
 * The questions of a repository that are still open, as prompts: the basics, then the others where they are wanted. A
 * second run asks what is to change, and nothing else.
 */
export function repositoryPrompts(asGiven: Basis): Prompt[] {
  const isSecond = Object.keys(asGiven.saved).length > 0;
  const basis = withUsable(asGiven);
  const open = openOf(basis, answerNames);
  const isWanted = (name: AnswerName, answered: Answered) => {
    const isOpen = basis.isMovedIn && basis.saved[name] === undefined && !questions[name].matters;
    if (isBasic(name) && (!isSecond || isOpen || answered[nameOfRest] === 'usual')) return true;
    return (
      answered[nameOfRest] === 'change' && [answered[nameOfChanges]].flat().includes(questions[name].group)
    );
  };
  const ask = (name: AnswerName) => promptFor(name, basis, answered => isWanted(name, answered));
  const basics = open.filter(isBasic).map(ask);
  const others = open.filter(name => !isBasic(name)).map(ask);
  const offered = (answered: Answered) => {
    const names = open.filter(name => (isSecond || !isBasic(name)) && matters(name, basis, answered));
    return (Object.keys(groups) as Group[]).filter(group =>
      names.some(name => questions[name].group === group),
    );
  };
  const gate: Prompt[] = [
    { ...restPrompt(isSecond, basis, open), when: answered => offered(answered).length > 0 },
    {
      ...{ name: nameOfChanges, type: 'checkbox', message: 'What to change' },
      // All of them, so that none hides below.
      pageSize: Object.keys(groups).length,
      choices: answered => offered(answered).map(value => ({ value, name: groups[value] })),
      when: answered => answered[nameOfRest] === 'change' && offered(answered).length > 0,
    },
  ];
  return isSecond ? [...gate, ...basics, ...others] : [...basics, ...gate, ...others];
}

const isBasic = (name: AnswerName) => questions[name].group === 'basics';

/** Without saved answers that are none; checked once, and not by each prompt. */
const withUsable = (basis: Basis): Basis => ({ ...basis, saved: usable(basis.saved) });

function openOf({ given }: Basis, names: readonly AnswerName[]): AnswerName[] {
  return names.filter(name => given[name] === undefined);
}

function matters(name: AnswerName, basis: Basis, answered: Answered): boolean {
  return questions[name].matters?.(new Standing(name, basis).checked(deciding, answered)) ?? true;
}

/** The prompt for all that is not asked by itself; it shows what the usual answers are. */
function restPrompt(isSecond: boolean, basis: Basis, open: readonly AnswerName[]): Prompt {
  const usual = (name: AnswerName, answered: Answered) =>
    new Standing(name, basis).byDefault({ ...answered, [nameOfRest]: 'usual' });
  const words = (answered: Answered) =>
    open
      .filter(name => !isBasic(name) && matters(name, basis, { ...answered, [nameOfRest]: 'usual' }))
      .map(name => [questions[name].option, usual(name, answered)])
      .filter(([, value = '']) => !['', 'no', 'none', 'host', ','].includes(value))
      .map(pair => pair.join(' '));
  const again = isSecond && open.some(isBasic) ? `asks again: ${groups.basics}; the rest: ` : '';
  const descriptions: { readonly [Choice in keyof typeof restChoices]: (answered: Answered) => string } = {
    usual: answered => `${again}${words(answered).join(', ')}`,
    change: () => 'asks what to change; all else stays',
    last: () => 'asks nothing more',
  };
  const names = isSecond ? (['last', 'change', 'usual'] as const) : (['usual', 'change'] as const);
  return {
    ...{ name: nameOfRest, type: 'select', default: names[0] },
    message: isSecond ? 'The answers' : 'The other answers',
    choices: answered =>
      names.map(value => ({
        ...{ value, name: value === 'last' && basis.isMovedIn ? likeOlder : restChoices[value] },
        description: descriptions[value](answered),
      })),
  };
}

/** The answers that there are when one question comes up, whichever way each was given. */
class Standing {
  readonly #name: AnswerName;
  readonly #basis: Basis;

  constructor(name: AnswerName, basis: Basis) {
    this.#name = name;
    this.#basis = basis;
  }

  /** The answer to a question, as it would be typed. */
  answer(name: AnswerName, answered: Answered): string {
    const { saved, given, preset = {} } = this.#basis;
    const said = { ...preset, ...given, ...typedFrom(['builder', 'executor'], answered) };
    const { builder, executor } = standing(said, saved);
    const isUsual = answered[nameOfRest] === 'usual' && questions[name].group !== 'basics';
    const before = isUsual ? {} : reconsider(saved, builder, executor);
    const implied = impliedBy(answered, given)[name];
    const answer = answered[name] ?? given[name] ?? implied ?? preset[name] ?? before[name];
    return asTyped(name, answer ?? defaultFor(name, builder, given.tags ?? before.tags, executor));
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
      const together = this.checked(excludingNames, { ...answered, [this.#name]: text });
      // Of a cloud the group of instances is asked next, and is written as that cloud has it.
      const isAskedNext = this.#name === 'cloud' && this.#basis.given.instanceGroup === undefined;
      refuseTogether(isAskedNext ? { ...together, instanceGroup: undefined } : together);
    }, value);
  }

  /** The choices of the question, those that cannot be made too: nobody wonders where they are. */
  menu(choices: Readonly<Record<string, string>>, answered: Answered): Choice[] {
    return Object.entries(choices).map(([value, description]): Choice => {
      const against = this.goes(value, answered);
      const choice = { value, name: value };
      return against === true
        ? { ...choice, description }
        : { ...choice, description: against, disabled: '(not with the other answers)' };
    });
  }
}

function promptFor(name: AnswerName, basis: Basis, isWanted: (answered: Answered) => boolean): Prompt {
  const { message, choices, yesNo, check } = questions[name];
  const standing = new Standing(name, basis);
  const byDefault = (answered: Answered) => standing.byDefault(answered);
  const isRefused = (answered: Answered) =>
    name === 'dockerImage' &&
    basis.engine !== undefined &&
    usesHostEngine(standing.checked(['builder', 'executor'], answered)) &&
    refuses(basis.engine, byDefault(answered));
  const when = (answered: Answered) =>
    impliedBy(answered, basis.given)[name] === undefined &&
    (isWanted(answered) || (isRefused(answered) && answered[nameOfRest] !== 'last')) &&
    matters(name, basis, answered);
  if (choices) {
    return menuFor(name, standing, choices, when);
  }
  if (yesNo) {
    const isYes = (answered: Answered) => check(byDefault(answered));
    return { name, message, type: 'confirm', default: isYes, when };
  }
  const validate = (typed: string, answered: Answered = {}) => standing.goes(typed, answered);
  return {
    ...{ name, type: 'input', validate, when },
    message: (answered: Answered) =>
      isRefused(answered)
        ? `${message} (${byDefault(answered)} is refused by this engine: its client is older than API ${basis.engine?.minApiVersion})`
        : message,
    default: (answered: Answered) => (isRefused(answered) ? 'docker:cli' : byDefault(answered)),
  };
}

function menuFor(
  name: AnswerName,
  standing: Standing,
  choices: Readonly<Record<string, string>>,
  when: (answered: Answered) => boolean,
): Prompt {
  const possible = (menu: readonly Choice[]) => menu.filter(({ disabled }) => disabled === undefined);
  return {
    ...{ name, message: questions[name].message, type: 'select', when },
    choices: answered => {
      const menu = standing.menu(choices, answered);
      // Options exclude each other already, whatever is chosen.
      if (possible(menu).length === 0) throw new Refusal(menu[0]?.description ?? '');
      return menu;
    },
    // Inquirer begins with a choice that cannot be made where the default is one.
    default: (answered: Answered) => {
      const [first, ...more] = possible(standing.menu(choices, answered)).map(({ value }) => value);
      const byDefault = standing.byDefault(answered);
      return more.includes(byDefault) ? byDefault : first;
    },
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
