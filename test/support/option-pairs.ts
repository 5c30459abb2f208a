import { completeAnswers, refuseIdle } from '../../generators/ask/answers.ts';
import { type AnswerName, answerNames, builders, type TypedAnswers } from '../../generators/ask/questions.ts';
import type { Refusal } from '../../generators/ask/refusal.ts';
import { otherAnswers } from './answers.ts';
import { coverPairs, type Row } from './pairs.ts';
import { refusalIn } from './refusals.ts';

/** Options as they may be given; undefined is one that is not. Beside these, each as in `otherAnswers`. */
const several: { readonly [Name in AnswerName]?: readonly (string | undefined)[] } = {
  description: [undefined, `Build & "test" #2, it's \${{ 50% }}`],
  registry: [undefined, 'registry.example.org:5000/team', 'localhost:5000'],
  tags: [undefined, ',', 'linux,on,1e3,a: b'],
  cleanUp: [undefined, 'none', '1'],
  executor: [undefined, 'docker-autoscaler', 'kubernetes'],
  cloud: [undefined, 'aws', 'googlecloud', 'azure'],
  instanceGroup: [undefined, 'runners', 'project/zone/runners'],
  builder: Object.keys(builders),
  dindCache: [undefined, 'registry', 'volume'],
  hardening: [undefined, 'relaxed', 'strict'],
  dockerImage: [
    undefined,
    'docker:stable',
    'docker:cli',
    'quay.io/buildah/stable:latest',
    'team/tools:1',
    'team/buildkit:1',
  ],
  runnerImage: [undefined, 'gitlab/gitlab-runner:ubuntu-v18.9.0'],
  platforms: [undefined, 'linux/arm64', 'linux/amd64,linux/arm64,linux/arm/v7'],
  cache: [undefined, 's3', 'none'],
  cacheServer: [undefined, 'here', 'https://[2001:db8::1]:9000'],
  extraHosts: [undefined, otherAnswers.extraHosts, 'git.example.org:10.0.0.5'],
  insecureRegistry: [undefined, 'plain.example.org:5000', '[fd00::5]:5000'],
};

export const values: Readonly<Record<string, readonly (string | undefined)[]>> = Object.fromEntries(
  answerNames.map(name => [name, several[name] ?? [undefined, otherAnswers[name]]]),
);

type OptionRow = Row<string | undefined>;

/** Why these options are refused; undefined if they are not. */
function refusalOfRow(row: OptionRow): Refusal | undefined {
  const typed = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
  return refusalIn(() => refuseIdle(typed as TypedAnswers, completeAnswers(typed as TypedAnswers)));
}

/** Every combination of those answers that goes; all else is not given. */
function combinations(names: readonly AnswerName[], given: TypedAnswers = {}): OptionRow[] {
  const none: OptionRow = { ...Object.fromEntries(answerNames.map(name => [name, undefined])), ...given };
  return names
    .reduce<OptionRow[]>(
      (rows, name) => rows.flatMap(row => values[name]!.map(value => ({ ...row, [name]: value }))),
      [none],
    )
    .filter(row => refusalOfRow(row) === undefined);
}

/** The answers on which it depends whether others are refused, in every way: here, on instances of a cloud, and in a cluster. */
const seeds: OptionRow[] = [
  ...combinations(['builder', 'dindCache', 'dockerImage', 'platforms', 'httpProxy', 'cache']),
  ...combinations(
    ['cloud', 'instanceGroup', 'instanceUses', 'dockerImage', 'httpProxy', 'cache', 'cacheServer'],
    {
      executor: 'docker-autoscaler',
      builder: 'socket',
    },
  ),
  ...combinations(
    ['builder', 'dockerImage', 'cache', 'cacheServer', 'httpProxy', 'hardening', 'extraHosts'],
    {
      executor: 'kubernetes',
    },
  ),
];

/** The sentences by which rows with such a pair are refused. */
export const sentences = new Set<string>();

function isAllowed(row: OptionRow): boolean {
  const refusal = refusalOfRow(row);
  if (refusal !== undefined) sentences.add(refusal.message);
  return refusal === undefined;
}

// Nobody reads where these hundreds of thousands of refusals come from, and to write that down takes most of their time.
const { stackTraceLimit } = Error;
Error.stackTraceLimit = 0;
/** Repositories in which each pair of values stands together, and the pairs that are refused whatever else is given. */
export const { rows, impossible } = coverPairs(values, seeds, isAllowed);
Error.stackTraceLimit = stackTraceLimit;
