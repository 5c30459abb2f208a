import type Generator from 'yeoman-generator';
import { refuseUnknownOptions, switchOption, typedOption } from '../common/options.ts';
import { Refusal } from '../common/refusal.ts';
import type { Question } from './questions.ts';
import type { WriteOptions } from './write-rules.ts';

// Options of yo, of Yeoman's environment and of every generator.
const yeomanOptions =
  'ask-answered bail debug dry-run force force-install help ignore-version-check insight local-only skip-cache skip-check-env skip-install skip-yo-resolve version whitespace'.split(
    ' ',
  );

/** What a user asks for on the command line, where there are questions of those names. */
export interface CommandLine<Name extends string> extends WriteOptions {
  /** The word that is no option. */
  readonly argument: string | undefined;
  /** The answers that options gave: checked, and kept as they were typed. */
  readonly given: { [N in Name]?: string };
  /** Whether to ask for the answers that no option gave. */
  readonly asks: boolean;
}

/**
 * Reads the command line, and refuses in an option what a prompt would refuse too: Yeoman does not.
 *
 * @param asked the questions, each of which is an option
 * @param what the word that is no option
 * @param args as Yeoman hands them over
 * @param options as Yeoman hands them over; `terminal`, which no command line can give, says whether there is one
 * @param words the command line as it was typed
 * @throws Refusal that names the option
 */
export function readCommandLine<Name extends string>(
  asked: Readonly<Record<Name, Question<unknown>>>,
  what: 'directory' | 'name',
  args: readonly unknown[],
  options: Readonly<Record<string, unknown>>,
  words: readonly string[],
): CommandLine<Name> {
  refuseUnknownOptions(words, [
    ...yeomanOptions,
    'defaults',
    // How the command of this package says that name.
    ...(what === 'name' ? ['runner'] : []),
    ...namesOf(asked).map(name => asked[name].option),
  ]);
  const isOn = (option: string, camelCase: string = option) =>
    naming(option, () => switchOption(option, options[option] ?? options[camelCase] ?? false, words));
  const terminal = Boolean(options.terminal ?? (process.stdin.isTTY && process.stdout.isTTY));
  const argument = options[what] ?? args[0];
  const commandLine = {
    argument: argument === undefined ? undefined : String(argument),
    given: givenAnswers(asked, options, words),
    asks: !isOn('defaults') && terminal,
    force: isOn('force'),
    bail: isOn('bail'),
    dryRun: isOn('dry-run', 'dryRun'),
    terminal,
  };
  if (args.length > 1) throw new Refusal(`Give one ${what}, not ${args.length}.`);
  return commandLine;
}

/** Declares each question as an option to Yeoman, whose --help shows them. */
export function declareOptions<Name extends string>(
  generator: Generator,
  asked: Readonly<Record<Name, Question<unknown>>>,
  defaultInWords: (name: Name) => string,
): void {
  for (const name of namesOf(asked)) {
    const { option, help, yesNo } = asked[name];
    const description = `${help} (default: ${defaultInWords(name)})`;
    generator.option(option, { type: yesNo ? Boolean : String, description });
  }
  generator.option('defaults', {
    type: Boolean,
    description: 'Ask nothing; what no option gives takes its default',
  });
}

/** Yeoman announces an error in a line of its own, before whoever runs the generator prints the sentence. */
export function leaveErrorsToCaller({ log }: Generator): void {
  log.error = () => log;
}

function namesOf<Name extends string>(asked: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(asked) as Name[];
}

function givenAnswers<Name extends string>(
  asked: Readonly<Record<Name, Question<unknown>>>,
  options: Readonly<Record<string, unknown>>,
  words: readonly string[],
): { [N in Name]?: string } {
  const given: { [N in Name]?: string } = {};
  for (const name of namesOf(asked)) {
    const { option, check, yesNo } = asked[name];
    const value = options[option] ?? options[name];
    if (value === undefined) continue;
    given[name] = naming(option, () => {
      const typed = yesNo
        ? switchOption(option, value, words)
          ? 'yes'
          : 'no'
        : typedOption(option, value, words);
      check(typed);
      return typed;
    });
  }
  return given;
}

/** Runs what may refuse the value of an option, so that the refusal names the option. */
function naming<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Refusal(`--${option}: ${(error as Error).message}`);
  }
}
