import { describe, expect, it } from 'vitest';
import { completeAnswers, reconsider, refuseIdle, usable } from '../../generators/ask/answers.ts';
import {
  type AnswerName,
  answerNames,
  asTyped,
  type BuilderName,
  builders,
  defaultFor,
  questions,
  type TypedAnswers,
  typedAnswers,
} from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import { completeRunners } from '../../generators/ask/runners.ts';
import { allScenarios, allTogether, answersWith, otherAnswers } from '../support/answers.ts';

const builderNames = Object.keys(builders) as BuilderName[];

describe('completeAnswers', () => {
  it.each(builderNames)('takes the default of each answer that is missing, for the builder %s', builder => {
    const answers = completeAnswers({ builder, concurrent: '5' });
    expect(answers).toMatchObject({ builder, concurrent: 5 });
    for (const name of answerNames.filter(name => name !== 'concurrent' && name !== 'builder')) {
      expect(answers[name]).toEqual(questions[name].check(defaultFor(name, builder)));
    }
  });

  it('lets a runner without tags take untagged jobs where nobody says otherwise, and no other', () => {
    for (const tags of ['', ',', ' , ']) expect(completeAnswers({ tags }).runUntagged).toBe(true);
    for (const typed of [{}, { tags: 'a,' }]) expect(completeAnswers(typed).runUntagged).toBe(false);
  });

  it('does not take a default for an answer that is there and empty', () => {
    expect(completeAnswers({ tags: '' }).tags).toEqual([]);
  });

  it('takes answers that do not matter as they are, so that they come back with the builder they are for', () => {
    expect(completeAnswers({ builder: 'socket', dindCache: 'volume' }).dindCache).toBe('volume');
  });

  it.each([
    ['registry', 'me'],
    ['builder', 'magic'],
  ] satisfies [AnswerName, string][])(
    'refuses a saved %s of %j in one line that says where to mend it',
    (name, bad) => {
      const refusal = () => completeAnswers({ [name]: bad });
      expect(refusal).toThrow(Refusal);
      expect(refusal).toThrow(
        new RegExp(
          `^"${name}" in \\.yo-rc\\.json: .*\\. Mend it there, or give --${questions[name].option}\\.$`,
        ),
      );
    },
  );

  it('refuses answers that exclude each other', () => {
    expect(() => completeAnswers({ builder: 'buildah', dockerImage: 'docker:cli' })).toThrow(
      'There is no Buildah in docker:cli',
    );
  });
});

describe('answers that exclude each other', () => {
  it.each<[TypedAnswers, RegExp | undefined]>([
    [{ tags: ',', runUntagged: 'no' }, /could run none, .*: add --run-untagged, or name tags by --tags\.$/],
    [{ tags: ',', runUntagged: 'yes' }, undefined],
    [{ tags: 'a', runUntagged: 'no' }, undefined],
    [{ builder: 'dind', cache: 'none' }, /--cache none .*: choose --dind-cache volume, or --cache local\.$/],
    [{ builder: 'dind', dindCache: 'volume', cache: 'none' }, undefined],
    [{ builder: 'socket', cache: 'none' }, undefined],
    [
      { runnerImage: 'gitlab/gitlab-runner:v17.4.0', cache: 's3' },
      /^--cache s3 needs GitLab Runner 17\.5 or later/,
    ],
    [{ runnerImage: 'gitlab/gitlab-runner:v17.5.0', cache: 's3' }, undefined],
    [
      { builder: 'buildkit', dockerNetwork: 'gitlab_default' },
      /^With --docker-network .* choose --builder socket or buildah/,
    ],
    [{ builder: 'dind', dockerNetwork: 'gitlab_default' }, /^With --docker-network /],
    [{ builder: 'buildah', dockerNetwork: 'gitlab_default' }, undefined],
  ])('are refused, and only those: %j', (typed, sentence) => {
    const complete = () => completeAnswers(typed);
    if (sentence === undefined) expect(complete).not.toThrow();
    else expect(complete).toThrow(sentence);
  });
});

describe('an image of jobs that goes with the builder or does not', () => {
  const refuse = (typed: TypedAnswers) => {
    completeAnswers(typed);
  };
  const several = 'linux/amd64,linux/arm64';
  type Case = [what: string, typed: TypedAnswers, sentence: string];

  it.each<Case>([
    [
      'Buildah in an image of Docker',
      { builder: 'buildah', dockerImage: 'docker.io/library/docker:29' },
      'There is no Buildah in docker.io/library/docker:29: leave --docker-image out, or name an image with Buildah.',
    ],
    ...(['socket', 'dind', 'buildkit'] as const).map(
      (builder): Case => [
        `${builder} in an image of Buildah`,
        { builder, dockerImage: 'quay.io/buildah/stable:v1' },
        'There is no Docker client in quay.io/buildah/stable:v1: choose --builder buildah, or --docker-image docker:cli.',
      ],
    ),
    [
      'BuildKit with Docker 19.03, which has no buildx',
      { builder: 'buildkit', dockerImage: 'docker:stable' },
      '--builder buildkit needs buildx, which docker:stable (Docker 19.03) does not have: choose --docker-image docker:cli.',
    ],
    ...(['socket', 'dind'] as const).map(
      (builder): Case => [
        `several platforms with ${builder} and Docker 19.03, which has no buildx`,
        { builder, dockerImage: 'docker:19.03', platforms: several },
        '--platforms needs buildx, which docker:19.03 (Docker 19.03) does not have: choose --docker-image docker:cli.',
      ],
    ),
  ])('refuses %s, and says what to choose instead', (_, typed, sentence) => {
    expect(() => refuse(typed)).toThrow(new Refusal(sentence));
  });

  it.each([
    ['Docker 19.03 where one platform is enough', { builder: 'socket', dockerImage: 'docker:stable' }],
    [
      'several platforms with a current client',
      { builder: 'dind', dockerImage: 'docker:29', platforms: several },
    ],
    ['an image of somebody else, for Buildah', { builder: 'buildah', dockerImage: 'me/docker:29' }],
    ['an image of somebody else, for BuildKit', { builder: 'buildkit', dockerImage: 'me/buildahead' }],
    [
      'several platforms with Buildah',
      { builder: 'buildah', dockerImage: 'quay.io/buildah/stable', platforms: several },
    ],
  ])('takes %s', (_, typed) => {
    expect(() => refuse(typed)).not.toThrow();
  });
});

describe('in a cluster', () => {
  it.each<[string, TypedAnswers, RegExp]>([
    ['the socket of a node', { builder: 'socket' }, /choose --builder buildkit/],
    ['an image without buildctl', { dockerImage: 'docker:cli' }, /no buildctl-daemonless.sh in docker:cli/],
    ['an image without Buildah', { builder: 'buildah', dockerImage: 'moby/buildkit' }, /no Buildah in moby/],
    [
      'an image without docker',
      { builder: 'dind', dockerImage: 'moby/buildkit:rootless' },
      /no docker in moby/,
    ],
    [
      'buildx in Docker 19.03',
      { builder: 'dind', dockerImage: 'docker:stable', platforms: 'linux/arm64' },
      /needs buildx/,
    ],
    ['an older GitLab Runner', { runnerImage: 'gitlab/gitlab-runner:v18.9.0' }, /needs GitLab Runner 18.11/],
    ['one engine for all jobs', { builder: 'dind', dindCache: 'volume' }, /choose --dind-cache registry/],
    ['a cache in the pod', { cache: 'local' }, /choose --cache s3/],
    ['an S3 server here', { cache: 's3', cacheServer: 'here' }, /--cache-server https/],
    ['the gateway of a host', { extraHosts: 'a:1.2.3.4,b:host-gateway' }, /give b its address/],
  ])('refuses %s', (_, typed, why) => {
    expect(() => answersWith({ executor: 'kubernetes', ...typed })).toThrow(why);
  });

  it('takes an image of somebody else, whose programs nobody knows', () => {
    for (const builder of ['buildkit', 'buildah', 'dind'])
      expect(() =>
        answersWith({ executor: 'kubernetes', builder, dockerImage: 'team/tools:1' }),
      ).not.toThrow();
  });

  it('has one runner, as a release of the chart has', () => {
    const answers = answersWith({ executor: 'kubernetes' });
    expect(() => completeRunners(answers, { deploy: {} })).toThrow(/one runner/);
  });

  it('takes the defaults of a cluster in the place of those of a host, and back again', () => {
    const here = typedAnswers(answersWith());
    const there = completeAnswers({ ...reconsider(here, undefined, 'kubernetes'), executor: 'kubernetes' });
    expect(there).toEqual(answersWith({ executor: 'kubernetes' }));
    const back = completeAnswers({
      ...reconsider(typedAnswers(there), undefined, 'docker'),
      executor: 'docker',
    });
    expect(back).toEqual(answersWith());
    const own = reconsider({ ...here, dockerImage: 'team/tools:1' }, undefined, 'kubernetes');
    expect(own.dockerImage).toBe('team/tools:1');
  });
});

describe('refuseIdle', () => {
  it.each([
    [
      'dindCache',
      { builder: 'buildkit' },
      '--dind-cache is for --builder dind only; leave it out, or choose that.',
    ],
    ['proxyExceptions', {}, '--proxy-exceptions is for --http-proxy only; leave it out, or choose that.'],
  ] satisfies [AnswerName, TypedAnswers, string][])(
    'refuses an option for %s that would change nothing',
    (name, others, sentence) => {
      const given = { ...others, [name]: otherAnswers[name] };
      expect(() => refuseIdle(given, answersWith(given))).toThrow(new Refusal(sentence));
    },
  );

  it('takes every option that changes something', () => {
    for (const typed of Object.values(allScenarios)) refuseIdle(typed, answersWith(typed));
  });

  it('says nothing about what was not given as an option: a saved answer may wait', () => {
    refuseIdle({}, answersWith({ dindCache: 'volume' }));
  });
});

describe('usable', () => {
  it('leaves out what is no answer, and keeps the rest as it was typed', () => {
    expect(usable({ concurrent: 'many', builder: 'magic', tags: ' a ,b', mirror: 'true' })).toEqual({
      tags: ' a ,b',
      mirror: 'true',
    });
    expect(usable({ tags: '' })).toEqual({ tags: '' });
    expect(usable({})).toEqual({});
    expect(usable(otherAnswers)).toEqual(otherAnswers);
  });
});

describe('reconsider', () => {
  const saved = (typed: TypedAnswers): TypedAnswers => {
    const answers = answersWith(typed);
    return Object.fromEntries(answerNames.map(name => [name, asTyped(name, answers[name])]));
  };

  it.each(builderNames.flatMap(from => builderNames.map(to => [from, to] as const)))(
    'lets the default of %s become that of %s',
    (from, to) => {
      const answers = completeAnswers({ ...reconsider(saved({ builder: from }), to), builder: to });
      expect(answers).toEqual(answersWith({ builder: to }));
    },
  );

  it('keeps an image that somebody chose', () => {
    expect(reconsider(saved({ dockerImage: 'me/docker:1' }), 'buildkit').dockerImage).toBe('me/docker:1');
  });

  it('keeps everything else, word for word', () => {
    const all = saved(allTogether);
    expect(reconsider(all, 'buildkit')).toEqual(all);
    const byDefault = saved({});
    const { dockerImage, ...others } = byDefault;
    expect(reconsider(byDefault, 'dind')).toEqual(others);
  });

  it('changes nothing where the builder stays, or is not given, and where nothing was saved', () => {
    const all = saved({ builder: 'dind' });
    expect(reconsider(all, 'dind')).toEqual(all);
    expect(reconsider(all, undefined)).toEqual(all);
    expect(reconsider({}, 'buildah')).toEqual({});
  });

  it('takes what was saved before there were builders for the default one', () => {
    expect(reconsider({ dockerImage: 'docker:stable' }, 'buildah')).toEqual({});
    expect(reconsider({ dockerImage: 'docker:stable' }, 'socket')).toEqual({ dockerImage: 'docker:stable' });
  });
});
