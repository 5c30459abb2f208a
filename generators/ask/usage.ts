import { wrapped } from '../write/wrapped.ts';
import { ciQuestions } from './ci.ts';
import { printAnswers, sources, switches } from './command-line.ts';
import { presets } from './presets.ts';
import { type AnswerName, answerNames, builders, hardenings, type Question, questions } from './questions.ts';
import {
  ownNames,
  projectQuestion,
  runnerAnswerNames,
  runnerDefaultInWords,
  runnerQuestions,
} from './runners.ts';

/** The shells that `--completion` knows. */
export const completionShells = ['bash', 'zsh', 'fish'] as const;

/** Options of the command that are no questions, and not for `yo`. */
export const ownOptions = {
  runner: 'add a runner of this name to the repository',
  ci: 'add the job that builds and pushes an image to the pipeline of the project in this folder',
  completion: `print what completes these options in a shell: ${completionShells.join(', ')}`,
} as const;

/** What the exit codes of the command mean. */
export const exitCodes = {
  0: 'done or nothing to do',
  1: 'refused or failed, or with conflicts left for you: the last line on stderr says which',
  130: 'stopped by Ctrl-C',
} as const;

/** The default of a question, and of which builders it is another. */
export function defaultsInWords(name: AnswerName): string {
  const { default: byDefault } = questions[name];
  const others = otherDefaults(name).map(([where, other]) => `${other} for ${where}`);
  return [byDefault, ...others].join('; ');
}

/** Where a default is another, by the builder or the executor, and which. */
function otherDefaults(name: AnswerName): [where: string, other: string][] {
  const { defaultOf = {}, defaultInCluster = {} } = questions[name];
  return [
    ...Object.entries(defaultOf),
    ...(typeof defaultInCluster === 'string'
      ? [['kubernetes', defaultInCluster] as [string, string]]
      : Object.entries(defaultInCluster).map(([builder, other]): [string, string] => [
          `${builder} on kubernetes`,
          other,
        ])),
  ];
}

/** The text of `--help`, without a line break at its end. */
export function usage(): string {
  const lines = optionLines();
  const width = Math.max(...lines.map(([left]) => left.length)) + 2;
  const row = (left: string, right: string) =>
    wrapped(right, 120 - 2 - width).map((text, at) => `  ${(at === 0 ? left : '').padEnd(width)}${text}`);
  return [
    'Usage: generator-gitlab-runner-docker [directory] [options]',
    '   or: yo gitlab-runner-docker [directory] [options]',
    '',
    'Writes a repository that runs a self-hosted GitLab Runner in a container.',
    'Without a terminal nothing is asked: what no option gives takes its default.',
    '',
    ...lines.flatMap(([left, right]) => row(left, right)),
    '',
    ...runnerUsage(),
    ...row(...optionLine(projectQuestion, projectQuestion.default)),
    '',
    ...ciUsage(),
    '',
    'The builders:',
    ...Object.entries(builders).flatMap(([name, sentence]) => row(name, sentence)),
    '',
    'What --hardening takes away:',
    ...Object.entries(hardenings).flatMap(([name, sentence]) => row(name, sentence)),
    '',
    'The presets:',
    ...Object.entries(presets).flatMap(([name, { means }]) => row(name, means)),
    '',
    'Exit codes (NO_COLOR in the environment takes the colours of the prompts away):',
    ...Object.entries(exitCodes).flatMap(([code, sentence]) => row(code, sentence)),
  ].join('\n');
}

/** An option, and what it does. */
type OptionLine = readonly [option: string, help: string];

function optionLine({ option, help, yesNo }: Question<unknown>, byDefault: string): OptionLine {
  return [`--${option}${yesNo ? '' : ' <value>'}`, `${help} (default: ${byDefault})`];
}

/** All options of a repository. */
function optionLines(): OptionLine[] {
  return [
    ...answerNames.map(name => optionLine(questions[name], defaultsInWords(name))),
    ...Object.entries(sources).map(([option, help]): OptionLine => [`--${option} <value>`, help]),
    ['--print-answers', printAnswers],
    ...Object.entries(switches).map(([option, help]): OptionLine => [`--${option}`, help]),
    ['--completion <shell>', ownOptions.completion],
    ['--help, --version', 'print this, or the version'],
  ];
}

function runnerUsage(): string[] {
  const options = optionsOf(ownNames.map(name => questions[name]));
  return [
    'To add a runner to a repository, in the same container and with tags and a token of its own:',
    '  generator-gitlab-runner-docker [directory] --runner <name> [options]',
    '  yo gitlab-runner-docker:runner <name> [options]',
    ...wrapped(`It takes ${options}, and what follows; for all else it has what the repository has.`, 120),
  ];
}

function presetRow([name, { means, answers }]: [string, (typeof presets)[string]]): string {
  const options = answerNames.flatMap(one =>
    answers[one] ? `\`--${questions[one].option}${questions[one].yesNo ? '' : ` ${answers[one]}`}\`` : [],
  );
  return `| \`${name}\` | ${means}: ${options.join(', ')} |`;
}

function ciUsage(): string[] {
  const options = optionsOf(Object.values(ciQuestions));
  return [
    "To add the job that builds and pushes an image to a project's own .gitlab-ci.yml:",
    '  generator-gitlab-runner-docker [directory] --ci <project> [options]',
    '  yo gitlab-runner-docker:ci <project> [options]',
    ...wrapped(
      `The project is a folder, the top level of its repository. It takes ${options}; where none is given, what the repository in the directory has counts. A job of that name that is there already is left alone: the same one is nothing to do, another one is refused.`,
      120,
    ),
  ];
}

/** Those options, in one line. */
function optionsOf(asked: readonly Question<unknown>[]): string {
  return asked.map(({ option }) => `--${option}`).join(', ');
}

/** The table of options in docs/options.md, as Markdown. */
export function optionsTable(): string {
  const rows = answerNames.map(name => {
    const { option, help, default: byDefault } = questions[name];
    const others = otherDefaults(name).map(([where, other]) => `; ${where}: \`${other}\``);
    return `| \`--${option}\` | \`${byDefault}\`${others.join('')} | ${help} |`;
  });
  const furtherRows = runnerAnswerNames.map(name => {
    const { option, help } = runnerQuestions[name];
    return `| \`--${option}\` | ${runnerDefaultInWords(name)} | ${help} |`;
  });
  const sentences = (choices: Readonly<Record<string, string>>) =>
    Object.entries(choices).map(([name, sentence]) => `| \`${name}\` | ${sentence} |`);
  return [
    ...['| option | default | what it is |', '|---|---|---|', ...rows, ''],
    ...['| option of a further runner | default | what it is |', '|---|---|---|', ...furtherRows, ''],
    ...['| builder | what it means |', '|---|---|', ...sentences(builders), ''],
    ...['| hardening | what it means |', '|---|---|', ...sentences(hardenings), ''],
    ...['| preset | what it is |', '|---|---|', ...Object.entries(presets).map(presetRow)],
  ].join('\n');
}
