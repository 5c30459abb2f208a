import { completeAnswers, refuseIdle } from '../../generators/app/answers.ts';
import { type AnswerName, answerNames, builders, type TypedAnswers } from '../../generators/app/questions.ts';
import type { Refusal } from '../../generators/common/refusal.ts';
import { refusalIn } from './arbitrary-answers.ts';
import { coverPairs, type Row } from './pairs.ts';

/** Options as they may be given; undefined is one that is not. */
export const values: { readonly [Name in AnswerName]: readonly (string | undefined)[] } = {
  gitlabUrl: [undefined, 'http://[2001:db8::1]:8080/tools/gitlab'],
  registry: [undefined, 'registry.example.org:5000/team', 'localhost:5000'],
  tags: [undefined, ',', 'linux,on,1e3,a: b'],
  runUntagged: [undefined, 'yes'],
  description: [undefined, `Build & "test" #2, it's \${{ 50% }}`],
  concurrent: [undefined, '7'],
  cleanUp: [undefined, 'none', '1'],
  builder: Object.keys(builders),
  dindImage: [undefined, 'docker:20.10-dind', 'images.example.org:5000/library/docker:dind'],
  dindCache: [undefined, 'registry', 'volume'],
  cacheSize: [undefined, '1', '500'],
  hardening: [undefined, 'relaxed', 'strict'],
  dockerImage: [undefined, 'docker:stable', 'docker:cli', 'quay.io/buildah/stable:latest', 'team/tools:1'],
  runnerImage: [undefined, 'gitlab/gitlab-runner:ubuntu-v19.3.0'],
  monitoring: [undefined, 'yes'],
  platforms: [undefined, 'linux/arm64', 'linux/amd64,linux/arm64,linux/arm/v7'],
  pullPolicy: [undefined, 'always', 'if-not-present', 'never'],
  cache: [undefined, 's3', 'none'],
  cacheServer: [undefined, 'here', 'https://[2001:db8::1]:9000'],
  cacheBucket: [undefined, 'a.1'],
  mirror: [undefined, 'yes'],
  privateCa: [undefined, 'yes'],
  httpProxy: [undefined, 'http://proxy.example.org:3128'],
  proxyExceptions: [undefined, '.internal.example.org,10.0.0.0/8,fd00::/8,git:8080'],
  insecureRegistry: [undefined, 'plain.example.org:5000', '[fd00::5]:5000'],
  extraHosts: [undefined, 'git.example.org:10.0.0.5,plain.example.org:host-gateway,six.example.org:fd00::5'],
  backup: [undefined, 'yes'],
  renovate: [undefined, 'yes'],
};

export type OptionRow = Row<string | undefined>;

/** Why these options are refused; undefined if they are not. */
export function refusalOfRow(row: OptionRow): Refusal | undefined {
  const typed = Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined));
  return refusalIn(() => refuseIdle(typed as TypedAnswers, completeAnswers(typed as TypedAnswers)));
}

/** Every combination of the answers on which it depends whether others are refused; all else is not given. */
export const seeds: OptionRow[] = (
  ['builder', 'dindCache', 'dockerImage', 'platforms', 'httpProxy', 'cache'] as const
)
  .reduce<OptionRow[]>(
    (rows, name) => rows.flatMap(row => values[name].map(value => ({ ...row, [name]: value }))),
    [Object.fromEntries(answerNames.map(name => [name, undefined]))],
  )
  .filter(row => refusalOfRow(row) === undefined);

/** Repositories in which each pair of values stands together, and the pairs that are refused whatever else is given. */
export const { rows, impossible } = coverPairs(values, seeds, row => refusalOfRow(row) === undefined);
