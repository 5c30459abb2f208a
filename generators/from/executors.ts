import type { TomlTable } from 'smol-toml';
import { Refusal } from '../ask/refusal.ts';
import type { Collected } from './collected.ts';
import { cloudOf } from './instances.ts';
import type { FoundRunner } from './register-command.ts';

/** What becomes of a runner whose jobs this package does not run, by its executor. */
const elsewhere: readonly (readonly [executor: RegExp, advice: string])[] = [
  [
    /^(shell|ssh)$/,
    'its jobs run on a machine and in no container. Let it run where it is, or give its jobs an image and register it with docker',
  ],
  [/^kubernetes$/, "its jobs are pods of a cluster: the Helm chart gitlab-runner is that one's place"],
  [
    /^docker-autoscaler$/,
    "its instances are not started by GitLab's plugin of aws, googlecloud or azure. Let it run where it is",
  ],
  [
    /^docker(-ssh)?\+machine$/,
    'Docker Machine, which GitLab removes, makes machines for it: a new repository with --executor docker-autoscaler takes its place',
  ],
  [/^instance$/, 'its jobs run on instances and in no container. Let it run where it is'],
  [
    /^docker-windows$/,
    'its jobs are Windows containers, which need an engine on Windows. Let it run where it is',
  ],
];

const executorOf = ({ executor = 'docker' }: TomlTable): string => String(executor);

/** Whether the jobs of a runner are run by what this package writes. */
const isOurs = (table: TomlTable): boolean =>
  executorOf(table) === 'docker' ||
  (executorOf(table) === 'docker-autoscaler' && cloudOf(table) !== undefined);

/** A runner that cannot come along, and what can be done, in a sentence without its end. */
function adviceOn({ name = 'without a name', executor = '' }: TomlTable): string {
  const [, advice = 'this package knows docker and docker-autoscaler. Let it run where it is'] =
    elsewhere.find(([executors]) => executors.test(String(executor))) ?? [];
  return `the runner ${name}: its executor is ${executor}, so ${advice}`;
}

/**
 * The runners with the executor and of the GitLab of the first one that this package has an executor for; addresses are put in for variables.
 *
 * @param environment variables that an address may name
 * @throws Refusal if none of them has it
 */
export function usableRunners(
  runners: readonly FoundRunner[],
  environment: Readonly<Record<string, string>>,
  all: Collected,
): FoundRunner[] {
  const resolved = runners.map(({ table, reserved }): FoundRunner => {
    const url = expand(String(table.url ?? ''), environment) ?? '';
    return { table: { ...table, url: withoutAccount(url, all).replace(/\/+$/, '') }, reserved };
  });
  const usable = resolved.filter(({ table }) => isOurs(table));
  const executor = usable[0] && executorOf(usable[0].table);
  const taken = usable.filter(({ table }) => executorOf(table) === executor);
  const others = [
    ...resolved.filter(one => !usable.includes(one)).map(({ table }) => adviceOn(table)),
    ...usable
      .filter(one => !taken.includes(one))
      .map(
        ({ table: { name = 'without a name', ...table } }) =>
          `the runner ${name}: its executor is ${executorOf(table)}, and not ${executor} as that of the first, so it needs a repository of its own`,
      ),
  ];
  if (runners.length > 0 && taken.length === 0) {
    const sentences = others.map(one => `${one.charAt(0).toUpperCase()}${one.slice(1)}.`).join(' ');
    throw new Refusal(
      `No runner there has the executor docker, or docker-autoscaler: nothing could be taken over, and nothing was written. ${all.secrets.masked(sentences)}`,
    );
  }
  // Where a script alone knows its address, a runner is of the same GitLab as the others.
  const url = taken.find(({ table }) => table.url !== '')?.table.url;
  const strangers = taken.filter(({ table }) => table.url !== '' && table.url !== url);
  all.notUnderstood.push(
    ...others,
    ...strangers.map(
      ({ table: { name = 'without a name' } }) =>
        `the runner ${name}: it is one of another GitLab, which needs a repository of its own`,
    ),
  );
  // The first of a repository of this generator stays the first.
  const isLater = ({ table }: FoundRunner) => Number(table.name !== all.answers.description);
  return taken.filter(one => !strangers.includes(one)).sort((one, other) => isLater(one) - isLater(other));
}

function withoutAccount(url: string, all: Collected): string {
  const plain = url.replace(/^(\w+:\/\/)[^/]*@/, '$1');
  if (plain !== url)
    all.notUnderstood.push("the user and password in GitLab's address: none is needed there");
  return plain;
}

/** A text in which config.toml may name variables; undefined where one is not known. */
export function expand(text: string, environment: Readonly<Record<string, string>>): string | undefined {
  let isKnown = true;
  const expanded = text.replace(/\$\{?(\w+)\}?/g, (_, name: string) => {
    isKnown &&= Boolean(environment[name]);
    return environment[name] ?? '';
  });
  return isKnown ? expanded : undefined;
}
