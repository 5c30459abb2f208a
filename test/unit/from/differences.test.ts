import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerTokenOf } from '../../support/tokens.ts';

const socket = 'volumes = ["/var/run/docker.sock:/var/run/docker.sock", "/cache"]';
const runner = (name: string, { docker = socket, more = '', token = runnerTokenOf(name) } = {}) => `
[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker"
  [runners.docker]
    image = "ruby:3"
    ${docker}
  ${more}
`;
const s3 = (server: string, bucket: string, more = '') => `[runners.cache]
    Type = "s3"
    [runners.cache.s3]
      ServerAddress = "${server}"
      BucketName = "${bucket}"
      ${more}`;
const keys = (name: string) => `AccessKey = "AK-${name}"\nSecretKey = "SK-${name}"`;

describe('what a job may do, where that changes', () => {
  it('is said of a privileged runner: of the job, of services, and of what is new', () => {
    const { said, runners } = movedIn({
      'config.toml': runner('one', { docker: 'privileged = true\nvolumes = ["/cache"]' }),
    });
    const [allowed] = runners[0]!.docker.allowed_privileged_services as string[];
    expect(runners[0]!.docker).not.toHaveProperty('privileged');
    expect(said).toContain('Left out, as the builder or the cache decides them: privileged.');
    expect(said).toContain(
      'Jobs are not privileged any more. Where one needs that, write "privileged = true" into [runners.docker].',
    );
    expect(said).toContain(
      `Of services only ${allowed} is privileged: add those of your pipelines to allowed_privileged_services.`,
    );
  });

  it('is said of each runner by its name, and of builders that an option chose', () => {
    const docker = 'privileged = true\nvolumes = ["/cache"]';
    const { said } = movedIn(
      { 'config.toml': runner('one', { docker }) + runner('two', { docker }) },
      { builder: 'buildkit' },
    );
    expect(said).toContain('Jobs of one are not privileged any more.');
    expect(said).toContain('Services of one are not privileged any more.');
    expect(said).toContain('Jobs of two are not privileged any more.');
    expect(said).toContain('Of services of two only docker:');
  });

  it('is said of services that had privileges, and of those that have them now', () => {
    const docker = 'services_privileged = true\nvolumes = ["/cache"]';
    const lost = movedIn({ 'config.toml': runner('one', { docker }) }, { builder: 'buildkit' });
    expect(lost.runners[0]!.docker).not.toHaveProperty('services_privileged');
    expect(lost.said).toContain('Services are not privileged any more.');
    const gained = movedIn(
      { 'config.toml': runner('one', { docker: 'privileged = false' }) },
      { builder: 'dind' },
    );
    expect(gained.said).toMatch(/Services of the image docker:\S+-dind are privileged now\./);
  });

  it('is what it was where images of services were named: they stay beside that of the builder', () => {
    const docker =
      'services_privileged = true\nallowed_privileged_services = ["docker:24-dind"]\nvolumes = ["/cache"]';
    const { said, runners } = movedIn({ 'config.toml': runner('one', { docker }) });
    const allowed = runners[0]!.docker.allowed_privileged_services as string[];
    expect(allowed).toHaveLength(2);
    expect(allowed).toContain('docker:24-dind');
    expect(said).not.toMatch(/privileged any more|Of services/);
  });

  it('is the engine that the socket is of: that of Podman stays', () => {
    const podman = '/run/podman/podman.sock:/var/run/docker.sock';
    const { runners, said } = movedIn({
      'config.toml': runner('one', { docker: `volumes = ["${podman}", "/cache"]` }),
    });
    expect(runners[0]!.docker.volumes).toEqual([podman, '/cache']);
    expect(said).not.toContain('volumes');
  });

  it('is not said where it does not: jobs with the socket stay privileged, and so do their services', () => {
    const { said, runners } = movedIn({
      'config.toml': runner('one', { docker: `privileged = true\n${socket}` }),
    });
    expect(runners[0]!.docker.privileged).toBe(true);
    expect(said).not.toContain('any more');
  });

  it('is said of whatever config.toml gains, for any way to build', () => {
    for (const builder of ['socket', 'dind', 'buildkit', 'buildah'] as const) {
      for (const hardening of ['relaxed', 'recommended', 'strict'] as const) {
        const { said, runners } = movedIn(
          { 'config.toml': runner('one', { docker: 'volumes = ["/cache"]' }) },
          { builder, hardening },
        );
        const { docker, name: _, url: __, token: ___, executor: ____, ...own } = runners[0]!;
        const before = ['image', 'volumes'];
        const gained = [...Object.keys(own), ...Object.keys(docker)].filter(key => !before.includes(key));
        const [, listed = ''] = /New in config\/config.toml, with its reason there: (.*)\./.exec(said) ?? [];
        const named = listed.split(', ').map(key => key.replace(/ .*/, ''));
        for (const key of gained) expect(named, `${builder} ${hardening}`).toContain(key);
        const mounts = (docker.volumes as string[]).filter(volume => volume !== '/cache');
        expect(named.includes('volumes')).toBe(mounts.length > 0);
      }
    }
  });
});

describe('caches of several runners', () => {
  const all = {
    'config.toml':
      runner('plain') +
      runner('first', { more: s3('s3.example.com', 'the-first', `Insecure = true\n${keys('1')}`) }) +
      runner('same', { more: s3('s3.example.com', 'the-first', keys('1')) }) +
      runner('other', {
        more: s3('minio.example.com:9000', 'another', `BucketLocation = "eu-1"\n${keys('2')}`),
      }) +
      runner('google', {
        more: '[runners.cache]\nType = "gcs"\n[runners.cache.gcs]\nBucketName = "g"\nCredentialsFile = "/etc/gcs.json"',
      }),
  };

  it('are each as they were', () => {
    const { runners, answers } = movedIn(all);
    const cacheOf = (name: string) => runners.find(one => one.name === name)!.cache;
    expect(answers).toMatchObject({
      cache: 's3',
      cacheServer: 'https://s3.example.com',
      cacheBucket: 'the-first',
    });
    expect(cacheOf('plain')).toBeUndefined();
    const byKeys = { BucketLocation: 'us-east-1', AuthenticationType: 'iam' };
    const server = { ServerAddress: 's3.example.com', BucketName: 'the-first' };
    expect(cacheOf('first')).toEqual({ Type: 's3', s3: { ...byKeys, ...server, Insecure: true } });
    expect(cacheOf('same')).toEqual({ Type: 's3', s3: { ...byKeys, ...server } });
    expect(cacheOf('other')).toEqual({
      Type: 's3',
      s3: {
        ...byKeys,
        ServerAddress: 'minio.example.com:9000',
        BucketName: 'another',
        BucketLocation: 'eu-1',
      },
    });
    expect(cacheOf('google')).toEqual({
      Type: 'gcs',
      gcs: { BucketName: 'g', CredentialsFile: '/etc/gcs.json' },
    });
  });

  it('share one pair of keys, and whose are others is said', () => {
    const { environment, said, texts } = movedIn(all);
    expect(environment).toContain('\nCACHE_S3_ACCESS_KEY=AK-1\n');
    expect(said).toContain('- the runner other: cache.s3.AccessKey and SecretKey of config.toml');
    expect(said).not.toContain('the runner same: cache');
    expect(JSON.stringify(texts) + said + environment).not.toMatch(/[AS]K-2/);
    expect(JSON.stringify(texts) + said).not.toMatch(/[AS]K-1/);
  });

  it('stay on their server where jobs have no volumes', () => {
    const { answers, runners } = movedIn({
      'config.toml': runner('one', {
        docker: `disable_cache = true\n${socket}`,
        more: s3('s3.example.com', 'the-first'),
      }),
    });
    expect(answers.cache).toBe('s3');
    expect(runners[0]).toMatchObject({ docker: { disable_cache: true }, cache: { Type: 's3' } });
  });

  it('show the secret half of a key nowhere else', () => {
    const secret = 'abcdefgh12345678';
    const { texts, said, runners } = movedIn({
      'config.toml': runner('one', {
        more: `${s3('s3.example.com', 'the-first', `AccessKey = "AK-1"\nSecretKey = "${secret}"`)}
  [runners.feature_flags]\n`,
      }).replace('executor =', `environment = ["COPY=${secret}", "A=b"]\n  executor =`),
    });
    expect(runners[0]!.environment).toEqual(['A=b']);
    expect(JSON.stringify(texts) + said).not.toContain(secret);
  });

  it('give way to an option, in words', () => {
    const { runners, said } = movedIn(all, { cacheBucket: 'a-new-one' });
    for (const { name, cache } of runners)
      expect(cache, String(name)).toMatchObject({ s3: { BucketName: 'a-new-one' } });
    expect(said).toContain('Left out, as the builder or the cache decides them: cache.');
  });

  it('of which none can be an answer stay as they are, but for their keys', () => {
    const { runners, answers, said } = movedIn({
      'config.toml': runner('one', { more: s3('s3.example.com/path', 'UPPER', keys('3')) }),
    });
    expect(answers.cache).toBe('local');
    expect(runners[0]!.cache).toEqual({
      Type: 's3',
      s3: { ServerAddress: 's3.example.com/path', BucketName: 'UPPER' },
    });
    expect(said).toContain('cache.s3.AccessKey and SecretKey of config.toml');
    expect(said).not.toMatch(/[AS]K-3/);
  });
});

describe('a registration token', () => {
  it.each([
    ['in the place of a token', { 'config.toml': runner('one', { token: registrationToken }) }],
    [
      'as an option for tokens of runners',
      {
        'register.sh': `gitlab-runner register --url https://gitlab.example.com --token ${registrationToken}\n`,
      },
    ],
    [
      'as its own option',
      {
        'register.sh': `gitlab-runner register --url https://gitlab.example.com -r ${registrationToken} 2>&1\n`,
      },
    ],
  ])('makes runners and is no token of one: %s', (_, files) => {
    const { environment, said, texts } = movedIn(files);
    expect(environment).toMatch(/^RUNNER_TOKEN=$/m);
    expect(environment).toContain(`\nREGISTRATION_TOKEN=${registrationToken}\n`);
    expect(said).toContain('1 [[runners]], none with a token of its own.');
    expect(said).toContain(
      'A registration token, which makes runners and is no runner\'s own, is in .env. "make register" makes one with it; delete it then.',
    );
    expect(JSON.stringify(texts) + said).not.toContain(registrationToken);
  });

  it('is not needed beside the token of a runner, and of several one is taken', () => {
    const register = (name: string, token: string) =>
      `gitlab-runner register --name ${name} --url https://gitlab.example.com -r ${token}\n`;
    const { said } = movedIn({
      'config.toml': runner('one') + runner('two'),
      'register.sh': register('one', registrationToken) + register('two', `${registrationToken}2`),
    });
    expect(said).toContain('It is not needed any more: delete it.');
    expect(said).toContain('- registration tokens beside the first: 1');
  });
});

it('$ in a name is no variable, neither in GitLab Runner nor in Compose', () => {
  const name = 'cost ${RUNNER_TOKEN} $HOME $$ 5$';
  const { runners, texts } = movedIn({ 'config.toml': runner(name, { token: runnerTokenOf('x') }) });
  expect(runners[0]!.name).toBe(name);
  expect(texts['scripts/settings.ts']).toContain(`description: '${name}'`);
  expect(texts['docker-compose.yml']).not.toMatch(/cost|\$HOME/);
});
