import { refuseUnknownOptions, switchOption, typedOption } from '../common/options.ts';
import { Refusal } from '../common/refusal.ts';
import { answerNames, questions, type TypedAnswers } from './questions.ts';
import type { WriteOptions } from './write-rules.ts';

// Options of yo, of Yeoman's environment and of every generator.
const yeomanOptions =
  'ask-answered bail debug dry-run force force-install help ignore-version-check insight local-only skip-cache skip-check-env skip-install skip-yo-resolve version whitespace'.split(
    ' ',
  );

/** What a user asks for on the command line. */
export interface CommandLine extends WriteOptions {
  readonly directory: string | undefined;
  /** The answers that options gave: checked, and kept as they were typed. */
  readonly given: TypedAnswers;
  /** Whether to ask for the answers that no option gave. */
  readonly asks: boolean;
}

/**
 * Reads the command line, and refuses in an option what a prompt would refuse too: Yeoman does not.
 *
 * @param args as Yeoman hands them over
 * @param options as Yeoman hands them over; `terminal`, which no command line can give, says whether there is one
 * @param words the command line as it was typed
 * @throws Refusal that names the option
 */
export function readCommandLine(
  args: readonly unknown[],
  options: Readonly<Record<string, unknown>>,
  words: readonly string[],
): CommandLine {
  refuseUnknownOptions(words, [
    ...yeomanOptions,
    'defaults',
    ...answerNames.map(name => questions[name].option),
  ]);
  const isOn = (option: string, camelCase: string = option) =>
    naming(option, () => switchOption(option, options[option] ?? options[camelCase] ?? false, words));
  const terminal = Boolean(options.terminal ?? (process.stdin.isTTY && process.stdout.isTTY));
  const directory = options.directory ?? args[0];
  const commandLine = {
    directory: directory === undefined ? undefined : String(directory),
    given: givenAnswers(options, words),
    asks: !isOn('defaults') && terminal,
    force: isOn('force'),
    bail: isOn('bail'),
    dryRun: isOn('dry-run', 'dryRun'),
    terminal,
  };
  if (args.length > 1) throw new Refusal(`Give one directory, not ${args.length}.`);
  return commandLine;
}

function givenAnswers(options: Readonly<Record<string, unknown>>, words: readonly string[]): TypedAnswers {
  const given: TypedAnswers = {};
  for (const name of answerNames) {
    const { option, check, yesNo } = questions[name];
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
