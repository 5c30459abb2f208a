import { checkChoice } from '../generators/ask/checks.ts';
import { namingOption, printAnswers, sources, switches } from '../generators/ask/command-line.ts';
import { presets } from '../generators/ask/presets.ts';
import { type Question, questions } from '../generators/ask/questions.ts';
import { projectQuestion } from '../generators/ask/runners.ts';
import { type completionShells, ownOptions } from '../generators/ask/usage.ts';
import { shell } from '../generators/write/quoting.ts';

const command = 'generator-gitlab-runner-docker';

interface Option {
  readonly name: string;
  readonly help: string;
  /** What its value is; none for what takes none. A yes or no stands behind an equals sign, and may be left out. */
  readonly value?: 'choice' | 'text' | 'path' | 'yesNo';
  readonly choices: Readonly<Record<string, string>>;
}

/** How each shell says what can be typed; the text is what the shell is to evaluate. */
const shells: Readonly<Record<(typeof completionShells)[number], (options: readonly Option[]) => string>> = {
  bash: forBash,
  zsh: forZsh,
  fish: forFish,
};

/**
 * What completes the options of this command in a shell, and their values where these are known.
 * @throws Refusal if there is no such shell
 */
export function completion(name: string): string {
  return namingOption('completion', () => shells[checkChoice(shells, name)](allOptions()));
}

function allOptions(): Option[] {
  const ofQuestion = ({ option, help, yesNo, choices = {} }: Question<unknown>): Option[] =>
    yesNo
      ? [
          { name: option, help, value: 'yesNo', choices: { yes: '', no: '' } },
          { name: `no-${option}`, help: `not: ${help}`, choices: {} },
        ]
      : [{ name: option, help, choices, value: Object.keys(choices).length > 0 ? 'choice' : 'text' }];
  const isSwitch = ([name, help]: [string, string]): Option => ({ name, help, choices: {} });
  return [
    ...[...Object.values(questions), projectQuestion].flatMap(ofQuestion),
    {
      name: 'preset',
      help: sources.preset,
      value: 'choice',
      choices: Object.fromEntries(Object.entries(presets).map(([name, { means }]) => [name, means])),
    },
    { name: 'answers', help: sources.answers, value: 'path', choices: {} },
    { name: 'from', help: sources.from, value: 'path', choices: {} },
    { name: 'runner', help: ownOptions.runner, value: 'text', choices: {} },
    { name: 'ci', help: ownOptions.ci, value: 'path', choices: {} },
    ...Object.entries({ ...switches, 'print-answers': printAnswers }).map(isSwitch),
    ...Object.entries({ help: 'print the help', version: 'print the version' }).map(isSwitch),
    {
      name: 'completion',
      help: ownOptions.completion,
      value: 'choice',
      choices: Object.fromEntries(Object.keys(shells).map(name => [name, name])),
    },
  ];
}

function forBash(options: readonly Option[]): string {
  const cases = options.flatMap(({ name, value, choices }) => {
    const words = shell(Object.keys(choices).join(' '));
    const ofWords = `COMPREPLY=($(compgen -W ${words} -- "$word"))`;
    if (value === 'yesNo') return [`    --${name}=) ${ofWords} ;;`];
    const paths = 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word")';
    const values = { choice: ` ${ofWords}`, text: '', path: ` ${paths}` };
    return value === undefined ? [] : [`    --${name} | --${name}=)${values[value]} ;;`];
  });
  const names = shell(options.map(({ name }) => `--${name}`).join(' '));
  return `_generator_gitlab_runner_docker() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} start=
  COMPREPLY=()
  # To bash an equals sign is a word of its own, unless somebody took it out of COMP_WORDBREAKS.
  case $word in
    =) before+== word= ;;
    --*=*) before=\${word%%=*}= start=$before word=\${word#*=} ;;
    *) if [ "$before" = = ]; then before=\${COMP_WORDS[COMP_CWORD - 2]}=; fi ;;
  esac
  case $before in
${cases.join('\n')}
    *)
      case $word in
        -*) COMPREPLY=($(compgen -W ${names} -- "$word")) ;;
        *) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
      esac ;;
  esac
  COMPREPLY=("\${COMPREPLY[@]/#/$start}")
}
complete -F _generator_gitlab_runner_docker ${command}`;
}

function forZsh(options: readonly Option[]): string {
  const escaped = (text: string) => text.replace(/[\\\][:]/g, '\\$&');
  const specs = options.map(({ name, help, value }) => {
    const values = {
      choice: `=[${escaped(help)}]:${name}:->${name}`,
      text: `=[${escaped(help)}]:${name}: `,
      path: `=[${escaped(help)}]:${name}:_files`,
      yesNo: `=-[${escaped(help)}]::${name}:(yes no)`,
    };
    return `    ${shell(`--${name}${value ? values[value] : `[${escaped(help)}]`}`)} \\`;
  });
  const states = options.flatMap(({ name, value, choices }) => {
    if (value === 'yesNo') return [];
    const values = Object.entries(choices).map(([choice, what]) => shell(`${choice}:${what}`));
    return values.length > 0 ? [`    ${name}) values=(${values.join(' ')}) ;;`] : [];
  });
  return `_generator_gitlab_runner_docker() {
  local state line
  typeset -A opt_args
  local -a values
  _arguments \\
${specs.join('\n')}
    '1:directory:_directories' && return
  case $state in
${states.join('\n')}
  esac
  _describe "$state" values
}
compdef _generator_gitlab_runner_docker ${command}`;
}

function forFish(options: readonly Option[]): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = options.map(({ name, help, value, choices }) => {
    // fish reads it a second time: words, each with a tab and what it means.
    const words = Object.entries(choices).map(([choice, what]) => `${choice}\\t${quoted(what)}`);
    const values = {
      choice: ` -x -a ${quoted(words.join(' '))}`,
      text: ' -x',
      path: ' -r -F',
      yesNo: ` -a ${quoted(Object.keys(choices).join(' '))}`,
    };
    return `complete -c ${command} -l ${name}${value ? values[value] : ''} -d ${quoted(help)}`;
  });
  // Folders are no value of a switch that is given a yes or no.
  const isWord = `not string match -q -- "--*=*" (commandline -ct)`;
  return [
    `complete -c ${command} -f`,
    `complete -c ${command} -n ${quoted(isWord)} -a '(__fish_complete_directories)'`,
    ...lines,
  ].join('\n');
}
