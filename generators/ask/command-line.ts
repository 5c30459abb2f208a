import type Generator from 'yeoman-generator';
import { yeomanCommands } from './commands.ts';
import { closestTo, refuseUnknownOptions, switchOption, typedOption } from './options.ts';
import { presets } from './presets.ts';
import { type Question, questions } from './questions.ts';
import { Refusal, shown } from './refusal.ts';

// Options of yo, of Yeoman's environment and of every generator.
const yeomanOptions =
  'ask-answered bail debug dry-run force force-install help ignore-version-check insight local-only skip-cache skip-check-env skip-install skip-yo-resolve version whitespace'.split(
    ' ',
  );

/** Options that are no answers, and what they do. */
export const switches = {
  defaults: 'ask nothing; what no option gives takes its default',
  force: 'take the new text where it and yours do not go together, and replace files of other origin',
  'dry-run': 'print what would change as a diff, write nothing',
} as const;

/** Options that bring several answers at once, and one that shows them all. Only a repository has them. */
export const sources = {
  preset: `several answers at once: ${Object.keys(presets).join(', ')}; options win`,
  answers: 'a YAML file of answers, by the names of options; options win',
  from: 'take over an older runner: its config.toml, docker-compose.yml, a file with its "docker run" or "register" command, or the folder with these',
} as const;
export const printAnswers = 'print all answers as such a file, write nothing';

/** The word of a command line that is no option. */
export type Word = 'directory' | 'name' | 'project';

/** Options that go with that word: the own command says a name, and a project, by an option. */
const optionsBeside: Readonly<Record<Word, readonly string[]>> = {
  directory: [...Object.keys(sources), 'print-answers'],
  name: ['runner'],
  project: ['ci'],
};

/** What is said of options that are for something else than what goes with that word. */
export function optionsElsewhere(what: Word): ReadonlyMap<string, string> {
  if (what === 'directory') {
    return new Map([
      [
        'project',
        `is for a runner that is added to a repository, by --runner or "${yeomanCommands.runner}".`,
      ],
      // The own command knows these.
      ...(['runner', 'ci'] as const).map(
        option => [option, `is no option with yo: ${yeomanCommands[option]} does that.`] as const,
      ),
    ]);
  }
  const ofRepository = [...Object.values(questions).map(({ option }) => option), ...optionsBeside.directory];
  const thing = what === 'name' ? 'a runner that is added to it' : "a project's pipeline";
  return new Map(ofRepository.map(option => [option, `is for the repository, not for ${thing}.`]));
}

/** What a user asks for on the command line, where there are questions of those names. */
export interface CommandLine<Name extends string> {
  /** The word that is no option. */
  readonly argument: string | undefined;
  /** The answers that options gave: checked, and kept as they were typed. */
  readonly given: { [N in Name]?: string };
  /** Whether to ask, for answers and whether to replace files: there is a terminal, and --defaults was not given. */
  readonly asks: boolean;
  /** Whether to replace what the owner changed, where both do not go. */
  readonly force: boolean;
  /** Whether to say what would change, and write nothing. */
  readonly dryRun: boolean;
  /** The preset, the file of answers, and where the files of an older runner are, as they were typed. */
  readonly preset: string | undefined;
  readonly answersFile: string | undefined;
  readonly from: string | undefined;
  /** Whether to print the answers, and write nothing. */
  readonly printsAnswers: boolean;
}

/**
 * Reads the command line, and refuses in an option what a prompt would refuse too: Yeoman does not.
 *
 * @param asked the questions, each of which is an option
 * @param what the word that is no option
 * @param args the words that are no options, as Yeoman or parseArgs hand them over
 * @param options as these hand them over; `terminal`, which no command line can give, says whether there is one
 * @param words the command line as it was typed
 * @throws Refusal that names the option
 */
export function readCommandLine<Name extends string>(
  asked: Readonly<Record<Name, Question<unknown>>>,
  what: Word,
  args: readonly unknown[],
  options: Readonly<Record<string, unknown>>,
  words: readonly string[],
): CommandLine<Name> {
  const known = [
    ...yeomanOptions,
    ...Object.keys(switches),
    ...optionsBeside[what],
    ...namesOf(asked).map(name => asked[name].option),
  ];
  refuseUnknownOptions(words, known, optionsElsewhere(what));
  const isOn = (option: string, camelCase: string = option) =>
    namingOption(option, () => switchOption(option, options[option] ?? options[camelCase] ?? false, words));
  const source = (option: string) =>
    options[option] === undefined
      ? undefined
      : namingOption(option, () => typedOption(option, options[option], words));
  const printsAnswers = isOn('print-answers', 'printAnswers');
  const terminal = Boolean(options.terminal ?? (process.stdout.isTTY && process.stdin.isTTY));
  const argument = options[what] ?? args[0];
  const commandLine = {
    argument: argument === undefined ? undefined : String(argument),
    given: givenAnswers(asked, options, words),
    asks: !isOn('defaults') && !printsAnswers && terminal,
    preset: source('preset'),
    answersFile: source('answers'),
    from: source('from'),
    printsAnswers,
    force: isOn('force'),
    dryRun: isOn('dry-run', 'dryRun'),
  };
  refuseWords(what, [commandLine.argument, ...args.slice(1)]);
  return commandLine;
}

/** Words that are subcommands elsewhere, and what is said to those who give them with another. */
const subcommands: Readonly<Record<string, (rest: string) => string>> = {
  runner: name => `a runner is added by --runner ${name}, or by "${yeomanCommands.runner} ${name}".`,
  ci: path => `the job is added to a project by --ci ${path}, or by "${yeomanCommands.ci} ${path}".`,
  completion: shell => `completions are printed by --completion ${shell}.`,
};

/** @throws Refusal if the word that is no option is empty, if there are several, or if it is rather a question */
export function refuseWords(what: Word, [first, ...more]: readonly unknown[]): void {
  if (typeof first === 'string' && first.trim() === '')
    throw new Refusal(`The ${what} is an empty text: leave it out, or name one.`);
  if (what === 'directory' && (first === 'help' || first === 'version')) {
    throw new Refusal(
      `"${first}" may be a question, or a folder: give --${first}, or the folder as ./${first}`,
    );
  }
  if (more.length === 0) return;
  const subcommand = closestTo(String(first), Object.keys(subcommands));
  const hint =
    what === 'directory' && subcommand && more.length === 1
      ? `; ${subcommands[subcommand]?.(shown(String(more[0])))}`
      : '.';
  throw new Refusal(`Give one ${what}, not ${more.length + 1}${hint}`);
}

/** Declares each question as an option to Yeoman, whose --help shows them. */
export function declareOptions<Name extends string>(
  generator: Generator,
  what: Word,
  asked: Readonly<Record<Name, Question<unknown>>>,
  defaultInWords: (name: Name) => string,
): void {
  for (const name of namesOf(asked)) {
    const { option, help, yesNo } = asked[name];
    const description = `${help} (default: ${defaultInWords(name)})`;
    generator.option(option, { type: yesNo ? Boolean : String, description });
  }
  if (what === 'directory') {
    for (const [option, description] of Object.entries(sources)) {
      generator.option(option, { type: String, description });
    }
    generator.option('print-answers', { type: Boolean, description: printAnswers });
  }
  for (const [option, description] of Object.entries(switches)) {
    generator.option(option, { type: Boolean, description });
  }
}

/** Whoever reads what is printed may go away, as `head` does: the run goes on all the same. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    // Once, however many generators there are in a process of Yeoman's.
    if (!stream.listeners('error').includes(passOver)) stream.on('error', passOver);
  }
}

function passOver({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') return;
  // As of a full disk, to which the output goes.
  process.stderr.write(`What was printed could not be written: ${message}\n`);
  process.exit(1);
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
    given[name] = namingOption(option, () => {
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
export function namingOption<T>(option: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Refusal(`--${option}: ${(error as Error).message}`);
  }
}
