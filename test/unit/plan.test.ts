import { describe, expect, it } from 'vitest';
import { type BuilderName, builders, type TypedAnswers } from '../../generators/ask/questions.ts';
import { frozenClientApi } from '../../generators/plan/engine.ts';
import type { Runner } from '../../generators/plan/plan.ts';
import { scenarios } from '../support/answers.ts';
import { planWith } from '../support/rendered.ts';

/** The repository, and beside it what its first runner is. */
const plan = (typed: TypedAnswers = {}, directory?: string) => {
  const repository = planWith(typed, directory);
  return { ...repository.runners[0], ...repository };
};

const builderNames = Object.keys(builders) as BuilderName[];
/** Each way to build images; `dind` in both of its ways. */
const ways: [string, TypedAnswers][] = [
  ...builderNames.map((builder): [string, TypedAnswers] => [builder, { builder }]),
  ['dind, one engine for all', { builder: 'dind', dindCache: 'volume' }],
];

/** An entry of [[runners]] or [runners.docker] of config.toml. */
const configured = ({ config }: Pick<Runner, 'config'>, key: string) =>
  [...config.runner, ...config.docker].find(entry => entry.key === key)?.value;

describe('planRepository', () => {
  it('always decides the same for the same answers', () => {
    for (const typed of Object.values(scenarios)) expect(plan(typed)).toEqual(plan(typed));
  });

  it('has jobs run in the image of the answers', () => {
    expect(plan({ dockerImage: 'docker:28' }).executor.image).toBe('docker:28');
    expect(plan({ builder: 'buildah' }).executor.image).toBe('quay.io/buildah/stable:latest');
  });

  it('explains every entry of config.toml, volume, network and the volumes of jobs in a comment', () => {
    for (const typed of Object.values(scenarios)) {
      const { config, compose, executor } = plan(typed);
      const whys = [
        executor.volumesWhy,
        ...[...config.runner, ...config.docker].map(({ why }) => why.join(' ')),
        ...[...compose.networks, ...compose.volumes].map(({ why }) => why),
      ];
      for (const why of whys) expect(why).toMatch(/\S.*[.:]$/);
    }
  });

  it('writes no key of config.toml twice', () => {
    for (const typed of Object.values(scenarios)) {
      const { config } = plan(typed);
      for (const entries of [config.runner, config.docker]) {
        const keys = entries.map(({ key }) => key);
        expect(keys).toEqual([...new Set(keys)]);
      }
    }
  });
});

describe('the way to build images', () => {
  it.each<[string, TypedAnswers, string[]]>([
    ['socket', { builder: 'socket' }, ['/var/run/docker.sock:/var/run/docker.sock']],
    ['dind, an engine for each job', { builder: 'dind' }, ['/certs/client']],
    [
      'dind, one engine for all',
      { builder: 'dind', dindCache: 'volume' },
      ['my-runner-client-certs:/certs/client:ro'],
    ],
    ['buildkit', { builder: 'buildkit' }, ['my-runner-client-certs:/certs/client:ro']],
    ['buildah', { builder: 'buildah' }, []],
  ])('decides what jobs have mounted: %s', (_, typed, volumes) => {
    expect(plan(typed).executor.volumes).toEqual([...volumes, '/cache']);
  });

  it.each<[string, TypedAnswers, object]>([
    ['socket', { builder: 'socket' }, {}],
    [
      'dind, an engine for each job',
      { builder: 'dind' },
      { services_privileged: true, allowed_privileged_services: ['docker:29.10.0-dind'] },
    ],
    [
      'dind, one engine for all',
      { builder: 'dind', dindCache: 'volume' },
      { network_mode: 'my-runner-jobs' },
    ],
    ['buildkit', { builder: 'buildkit' }, { network_mode: 'my-runner-jobs' }],
    ['buildah', { builder: 'buildah' }, { security_opt: ['seccomp=unconfined', 'apparmor=unconfined'] }],
  ])('decides what config.toml has beside the pull policy: %s', (_, typed, expected) => {
    const { config } = plan({ hardening: 'relaxed', ...typed });
    expect(config.runner.map(({ key }) => key)).toEqual(['request_concurrency']);
    expect(Object.fromEntries(config.docker.map(({ key, value }) => [key, value]))).toEqual({
      pull_policy: ['always', 'if-not-present'],
      ...expected,
    });
  });

  it('never makes the jobs themselves privileged', () => {
    for (const typed of Object.values(scenarios)) {
      const { docker } = plan(typed).config;
      const keys = docker.map(({ key }) => key);
      expect(keys).not.toContain('privileged');
      // A capability is given only where all were taken away.
      const dropped = docker.find(({ key }) => key === 'cap_drop')?.value;
      expect(keys.includes('cap_add')).toBe(JSON.stringify(dropped) === '["ALL"]');
    }
  });

  it.each<[string, TypedAnswers, string | undefined, string[]]>([
    ['socket', { builder: 'socket' }, undefined, []],
    ['dind, an engine for each job', { builder: 'dind' }, undefined, []],
    [
      'dind, one engine for all',
      { builder: 'dind', dindCache: 'volume' },
      'docker',
      ['docker-data', 'docker-certs', 'client-certs'],
    ],
    ['buildkit', { builder: 'buildkit' }, 'buildkit', ['buildkit-cache', 'buildkit-certs', 'client-certs']],
    ['buildah', { builder: 'buildah' }, undefined, []],
  ])('decides what runs beside the runner, on a network that jobs join: %s', (_, typed, service, volumes) => {
    const { compose } = plan(typed);
    expect(compose.services).toEqual(service ? [service] : []);
    expect(compose.volumes.map(({ key }) => key)).toEqual(volumes);
    expect(compose.networks.map(({ key, name }) => [key, name])).toEqual(
      service ? [['jobs', 'my-runner-jobs']] : [],
    );
  });

  it.each(ways)('has jobs join a network that docker-compose.yml makes, by the same name: %s', (_, typed) => {
    const repository = plan(typed, 'Team Runner');
    expect(configured(repository, 'network_mode')).toBe(repository.compose.networks[0]?.name);
    const named = repository.compose.volumes.flatMap(({ name }) => name ?? []);
    const mounted = repository.executor.volumes
      .map(volume => volume.split(':')[0] ?? '')
      .filter(source => !source.startsWith('/') && source !== '');
    expect(mounted).toEqual(named);
    for (const name of [...named, ...repository.compose.networks.map(({ name }) => name)]) {
      expect(name).toMatch(/^team-runner-/);
    }
  });

  it.each<[string, TypedAnswers, string]>([
    ['socket', { builder: 'socket' }, 'docker'],
    ['dind', { builder: 'dind' }, 'docker'],
    ['buildkit', { builder: 'buildkit' }, 'buildx'],
    ['buildah', { builder: 'buildah' }, 'buildah'],
  ])('decides which program builds: %s', (_, typed, program) => {
    expect(plan(typed).pipeline.program).toBe(program);
  });

  it.each<[string, TypedAnswers, object]>([
    ['socket', { builder: 'socket' }, {}],
    ...(['registry', 'volume'] as const).map((dindCache): [string, TypedAnswers, object] => [
      `dind with ${dindCache}`,
      { builder: 'dind', dindCache },
      {
        DOCKER_HOST: 'tcp://docker:2376',
        DOCKER_TLS_CERTDIR: '/certs',
        DOCKER_CERT_PATH: '/certs/client',
        DOCKER_TLS_VERIFY: '1',
      },
    ]),
    ['buildkit', { builder: 'buildkit' }, { DOCKER_HOST: 'unix:///var/run/docker.sock' }],
    ['buildah', { builder: 'buildah' }, {}],
  ])('decides by which variables jobs find what they build with: %s', (_, typed, expected) => {
    const { IMAGE, ...variables } = Object.fromEntries(
      plan(typed).pipeline.variables.map(({ name, value }) => [name, value]),
    );
    expect(variables).toEqual(expected);
  });

  it('starts a service beside each job only where each job has an engine of its own', () => {
    for (const [name, typed] of ways) {
      const { services } = plan(typed).pipeline;
      expect(services.length, name).toBe(name === 'dind' ? 1 : 0);
    }
    expect(plan({ builder: 'dind' }).pipeline.services).toEqual([
      { image: 'docker:29.10.0-dind', alias: 'docker', options: [] },
    ]);
  });

  it('tells that engine what it has to know: platforms, mirror, and the registry without TLS', () => {
    const options = (typed: TypedAnswers) =>
      plan({ builder: 'dind', ...typed }).pipeline.services.flatMap(({ options }) => options);
    expect(options({ platforms: 'linux/arm64' })).toEqual(['--feature=containerd-snapshotter=true']);
    expect(options({ mirror: 'yes' })).toEqual(['--registry-mirror=http://mirror:5000']);
    expect(options({ insecureRegistry: 'r.local:5000' })).toEqual(['--insecure-registry=r.local:5000']);
  });
});

describe('requests for jobs', () => {
  it.each([
    ['1', 2],
    ['3', 3],
    ['50', 4],
  ])('are never one at a time, of which the runner warns, with concurrent %s', (concurrent, requests) => {
    expect(configured(plan({ concurrent }), 'request_concurrency')).toBe(requests);
  });
});

describe('a GitLab that only a network of Docker knows', () => {
  const gitlab = { gitlabUrl: 'http://gitlab', dockerNetwork: 'gitlab_default' };

  it('is found by jobs on that network, at the address that the runner has too', () => {
    const repository = plan({ ...gitlab, httpProxy: 'http://proxy.example.com:3128' });
    expect(configured(repository, 'network_mode')).toBe('gitlab_default');
    expect(configured(repository, 'clone_url')).toBe('http://gitlab');
    expect(repository.compose.networks).toMatchObject([{ name: 'gitlab_default', external: true }]);
    expect(repository.proxy?.exceptions).toContain('gitlab');
  });
});

it.each([
  ['gitlab/gitlab-runner:alpine', false],
  ['gitlab/gitlab-runner:alpine-v18.10.0', false],
  ['gitlab/gitlab-runner:v19.0.1', false],
  ['gitlab/gitlab-runner:alpine3.21-v18.9.0', true],
  ['r.example.org:5000/runner:17.5', true],
  [
    'gitlab/gitlab-runner:ubuntu-v9.5.1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    true,
  ],
])(
  'knows whether the runner of %s has to be helped with variables in config.toml: %s',
  (runnerImage, expands) => {
    expect(plan({ runnerImage }).expandsConfig).toBe(expands);
  },
);

it('names each variable of .env with a token after its runner', () => {
  const { runners } = planWith({ runners: { 'deploy-2': {} } });
  expect(runners.map(({ tokenVariable }) => tokenVariable)).toEqual([
    'RUNNER_TOKEN',
    'RUNNER_TOKEN_DEPLOY_2',
  ]);
});

const everywhere = { cache: 's3', privateCa: 'yes', platforms: 'linux/arm64', mirror: 'yes' };

it('names the checks that doctor has beside those of each repository', () => {
  expect(plan().parts).toEqual(['runner', 'jobs']);
  expect(plan({ ...everywhere, builder: 'dind' }).parts).toEqual([
    ...['runner', 'jobs'],
    ...['cache', 'private-ca', 'platforms'],
  ]);
});

describe('the mirror', () => {
  it.each<[string, TypedAnswers, { address: string | undefined; isForHost: boolean }]>([
    ['socket', { builder: 'socket' }, { address: '127.0.0.1', isForHost: true }],
    ['dind, an engine for each job', { builder: 'dind' }, { address: '172.17.0.1', isForHost: false }],
    [
      'dind, one engine for all',
      { builder: 'dind', dindCache: 'volume' },
      { address: undefined, isForHost: false },
    ],
    ['buildkit', { builder: 'buildkit' }, { address: undefined, isForHost: false }],
    ['buildah', { builder: 'buildah' }, { address: '172.17.0.1', isForHost: false }],
  ])('is where whoever pulls finds it, and nowhere else: %s', (_, typed, mirror) => {
    const repository = plan({ ...typed, mirror: 'yes' });
    const { address, isForHost } = mirror;
    expect(repository.mirror).toEqual({
      addresses: address ? [address] : [],
      isOnNetwork: !address,
      isForHost,
    });
    expect(repository.compose.volumes.map(({ key }) => key)).toContain('mirror-data');
    // Jobs, and engines beside them, know it by name.
    expect(configured(repository, 'extra_hosts')).toEqual(
      mirror.address === '172.17.0.1' ? ['mirror:host-gateway'] : undefined,
    );
  });

  it.each(ways)('is not there unless asked for: %s', (_, typed) => {
    const repository = plan(typed);
    expect(repository.mirror).toBeUndefined();
    expect(repository.compose.volumes.map(({ key }) => key)).not.toContain('mirror-data');
    expect(configured(repository, 'extra_hosts')).toBeUndefined();
  });
});

describe('the cache of jobs', () => {
  it.each(ways)('is left to GitLab Runner unless another is chosen: %s', (_, typed) => {
    const { cache, config, compose } = plan(typed);
    expect([cache, config.cache, config.s3]).toEqual([undefined, [], []]);
    expect(config.docker.map(({ key }) => key)).not.toContain('disable_cache');
    expect(compose.volumes.map(({ key }) => key)).not.toContain('cache-data');
  });

  it.each(ways)('is found by jobs in docker-compose.yml, wherever they are: %s', (_, typed) => {
    const repository = plan({ ...typed, cache: 's3', httpProxy: 'http://proxy.example.com:3128' });
    const address = repository.compose.services.length > 0 ? undefined : '172.17.0.1';
    expect(repository.cache).toEqual({
      address: 'job-cache:7070',
      bucket: 'runner-cache',
      service: { addresses: address ? [address] : [], isOnNetwork: !address },
    });
    expect(configured(repository, 'extra_hosts')).toEqual(address ? ['job-cache:host-gateway'] : undefined);
    expect(repository.compose.volumes.map(({ key }) => key)).toContain('cache-data');
    expect(repository.proxy?.exceptions).toContain('job-cache');
  });

  it('is on a server elsewhere by TLS, and by its host and port alone', () => {
    const typed = { cache: 's3', cacheServer: 'https://s3.example.com:9000/', cacheBucket: 'ours' };
    const repository = plan({ ...typed, httpProxy: 'http://proxy.example.com:3128' });
    const { cache, config, compose, proxy } = repository;
    expect(cache).toEqual({ address: 's3.example.com:9000', bucket: 'ours', service: undefined });
    const keys = (entries: typeof config.s3) =>
      Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    expect(keys(config.cache)).toEqual({ Type: 's3', Shared: true });
    expect(keys(config.s3)).toEqual({
      ServerAddress: 's3.example.com:9000',
      BucketName: 'ours',
      BucketLocation: 'us-east-1',
      AuthenticationType: 'iam',
    });
    expect(keys(plan({ cache: 's3' }).config.s3)).toMatchObject({ Insecure: true });
    expect(configured(repository, 'extra_hosts')).toBeUndefined();
    expect(compose.volumes).toEqual([]);
    expect(proxy?.exceptions).not.toContain('job-cache');
  });

  it('is no volume where there is to be none', () => {
    expect(configured(plan({ cache: 'none' }), 'disable_cache')).toBe(true);
  });
});

describe('the HTTP proxy', () => {
  const httpProxy = 'http://proxy.example.com:3128';

  it.each<[string, TypedAnswers, string[]]>([
    ['socket', { builder: 'socket' }, []],
    ['dind, an engine for each job', { builder: 'dind' }, ['docker']],
    ['dind, one engine for all', { builder: 'dind', dindCache: 'volume' }, ['docker']],
    ['buildkit', { builder: 'buildkit' }, ['buildkit']],
    ['buildah', { builder: 'buildah' }, []],
  ])('is not asked for what runs here: %s', (_, typed, near) => {
    const own = ['localhost', '127.0.0.1', ...near];
    expect(plan({ ...typed, httpProxy }).proxy).toEqual({ url: httpProxy, exceptions: own });
    const proxyExceptions = 'localhost,.internal,10.0.0.0/8';
    expect(plan({ ...typed, httpProxy, mirror: 'yes', proxyExceptions }).proxy?.exceptions).toEqual([
      ...own,
      'mirror',
      '.internal',
      '10.0.0.0/8',
    ]);
  });

  it('reaches jobs by variables, in capitals and in small letters, that mean the same', () => {
    const environment = configured(plan({ httpProxy, proxyExceptions: '.internal' }), 'environment');
    const exceptions = 'localhost,127.0.0.1,.internal';
    expect(environment).toEqual([
      ...[`HTTP_PROXY=${httpProxy}`, `HTTPS_PROXY=${httpProxy}`, `NO_PROXY=${exceptions}`],
      ...[`http_proxy=${httpProxy}`, `https_proxy=${httpProxy}`, `no_proxy=${exceptions}`],
    ]);
  });

  it('is not there unless asked for, whatever the exceptions that were saved', () => {
    const repository = plan({ proxyExceptions: '.internal' });
    expect(repository.proxy).toBeUndefined();
    expect(configured(repository, 'environment')).toBeUndefined();
  });
});

describe('what else surrounds the runner', () => {
  it('has jobs trust a private authority by a variable, and by a volume that is config/certs', () => {
    const { executor, compose } = plan({ privateCa: 'yes' });
    expect(executor.volumes).toContain('my-runner-authorities:/etc/gitlab-runner/certs:ro');
    expect(compose.volumes).toMatchObject([{ name: 'my-runner-authorities', folder: './config/certs' }]);
    expect(configured(plan({ privateCa: 'yes' }), 'environment')).toEqual([
      'SSL_CERT_DIR=/etc/gitlab-runner/certs',
    ]);
    expect(configured(plan(), 'environment')).toBeUndefined();
  });

  it('gives jobs the names that DNS does not know, and that of the mirror after them', () => {
    const extraHosts = 'gitlab.local:10.0.0.5,six.local:fd00::5';
    expect(configured(plan({ extraHosts }), 'extra_hosts')).toEqual([
      'gitlab.local:10.0.0.5',
      'six.local:fd00::5',
    ]);
    expect(configured(plan({ extraHosts, builder: 'buildah', mirror: 'yes' }), 'extra_hosts')).toEqual([
      'gitlab.local:10.0.0.5',
      'six.local:fd00::5',
      'mirror:host-gateway',
    ]);
  });
});

it.each([
  ['docker:stable', true],
  ['docker:cli', false],
])('knows whether the client of %s stays as old as it is: %s', (dockerImage, frozen) => {
  expect(frozenClientApi(dockerImage) !== undefined).toBe(frozen);
});

describe('the pipeline', () => {
  it('knows whether the registry is that of the project, which needs no variables of the user', () => {
    expect(plan({ registry: 'gitlab' }).pipeline.isOfProject).toBe(true);
    expect(plan({ registry: 'registry.example.com' }).pipeline.isOfProject).toBe(false);
  });

  it("pushes to the project's own registry with what GitLab sets in each job", () => {
    const { variables, registry, user, password, required } = plan({ registry: 'gitlab' }).pipeline;
    expect(variables.map(({ name, value }) => [name, value])).toEqual([['IMAGE', '$CI_REGISTRY_IMAGE']]);
    expect([registry, user, password]).toEqual([
      '$CI_REGISTRY',
      '$CI_REGISTRY_USER',
      '$CI_REGISTRY_PASSWORD',
    ]);
    expect(required.variable).toBe('CI_REGISTRY');
  });

  it.each([
    ['registry.example.com', 'registry.example.com', 'registry.example.com/$CI_PROJECT_PATH'],
    ['localhost:5000/team/x', 'localhost:5000', 'localhost:5000/team/x/$CI_PROJECT_PATH'],
    ['[::1]:5000', '[::1]:5000', '[::1]:5000/$CI_PROJECT_PATH'],
    // Docker Hub has names of two parts only.
    ['docker.io/team', 'docker.io', 'docker.io/team/$CI_PROJECT_PATH_SLUG-$CI_PROJECT_ID'],
  ])('logs in to the host of %s, and pushes below its path', (registry, host, image) => {
    const { pipeline } = plan({ registry });
    expect(Object.fromEntries(pipeline.variables.map(({ name, value }) => [name, value]))).toEqual({
      REGISTRY: host,
      IMAGE: image,
    });
    expect(pipeline.required.variable).toBe('REGISTRY_PASSWORD');
  });

  it.each(['gitlab', 'registry.example.com'])(
    'never holds a password, but the name of its variable: %s',
    registry => {
      const { user, password } = plan({ registry }).pipeline;
      expect([user, password].every(text => /^\$[A-Z_]+$/.test(text))).toBe(true);
    },
  );
});

describe('the name of the Compose project', () => {
  it.each([
    ['my-runner', 'my-runner'],
    ['My Runner (2)', 'my-runner-2'],
    ['__x__', 'x'],
    ['a_b', 'a_b'],
    ['2026', '2026'],
    ['größe', 'gr-e'],
    ['ランナー', 'gitlab-runner'],
    ['', 'gitlab-runner'],
    ['---', 'gitlab-runner'],
  ])('of a folder %j is %s', (directory, name) => {
    expect(plan({}, directory).composeProject).toBe(name);
  });
});

it('names as parts only files that have checks for doctor', async () => {
  const { parts } = plan({ ...everywhere, dockerImage: 'docker:cli' });
  expect(parts).toEqual(['runner', 'jobs', 'cache', 'private-ca', 'platforms', 'mirror']);
  for (const part of parts) {
    const { checks } = await import(`../../templates/scripts/${part}.ts`);
    expect(checks.length, part).toBeGreaterThan(0);
  }
});
