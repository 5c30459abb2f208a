import { answerNames, questions } from './questions.ts';

/** The text of `--help`, without a line break at its end. */
export function usage(): string {
  const options = answerNames.map(name => {
    const { option, help, default: byDefault, yesNo } = questions[name];
    return [`--${option}${yesNo ? '' : ' <value>'}`, `${help} (default: ${byDefault})`] as const;
  });
  const lines = [
    ...options,
    ['--defaults', 'ask nothing; what no option gives takes its default'] as const,
    ['--force', 'overwrite files that differ, without asking'] as const,
    ['--dry-run', 'show what would change, write nothing'] as const,
    ['--help, --version', 'print this, or the version'] as const,
  ];
  const width = Math.max(...lines.map(([left]) => left.length)) + 2;
  return [
    'Usage: generator-gitlab-runner-docker [directory] [options]',
    '   or: yo gitlab-runner-docker [directory] [options]',
    '',
    'Writes a repository that runs a self-hosted GitLab Runner in a container.',
    'Without a terminal nothing is asked: what no option gives takes its default.',
    '',
    ...lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
  ].join('\n');
}

/** The table of options in README.md, as Markdown. */
export function optionsTable(): string {
  const rows = answerNames.map(name => {
    const { option, help, default: byDefault } = questions[name];
    return `| \`--${option}\` | \`${byDefault}\` | ${help} |`;
  });
  return ['| option | default | what it is |', '|---|---|---|', ...rows].join('\n');
}
