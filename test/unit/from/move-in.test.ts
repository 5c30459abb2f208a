import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerTokenOf, runnerToken as token } from '../../support/tokens.ts';

/** As `gitlab-runner register` of 17.x writes it. */
const registered = `concurrent = 4
check_interval = 0
connection_max_age = "15m0s"
shutdown_timeout = 0

[session_server]
  session_timeout = 1800

[[runners]]
  name = "builds on tor"
  url = "https://gitlab.example.com/"
  id = 42
  token = "${token}"
  token_obtained_at = 2024-03-01T10:00:00Z
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "docker"
  [runners.custom_build_dir]
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
    [runners.cache.gcs]
    [runners.cache.azure]
  [runners.docker]
    tls_verify = false
    image = "ruby:3.1"
    privileged = false
    disable_entrypoint_overwrite = false
    oom_kill_disable = false
    disable_cache = false
    volumes = ["/var/run/docker.sock:/var/run/docker.sock", "/cache", "/srv/m2:/root/.m2"]
    shm_size = 0
    network_mtu = 0
`;

describe('a config.toml that was registered', () => {
  const { answers, runners, global, environment, said, config, texts } = movedIn({
    'config.toml': registered,
  });

  it('becomes answers', () => {
    expect(answers).toMatchObject({
      gitlabUrl: 'https://gitlab.example.com',
      description: 'builds on tor',
      concurrent: 4,
      builder: 'socket',
      hardening: 'relaxed',
      cache: 'local',
    });
  });

  it('gives its token to .env alone', () => {
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    for (const text of [...Object.values(texts), said]) expect(text).not.toContain(token);
    expect(runners[0]!.token).toBe('${RUNNER_TOKEN}');
  });

  it('keeps the image and the mounts of jobs, and the tables that no answer knows', () => {
    expect(runners[0]!.docker).toMatchObject({
      image: 'ruby:3.1',
      volumes: ['/var/run/docker.sock:/var/run/docker.sock', '/cache', '/srv/m2:/root/.m2'],
    });
    expect(global).toMatchObject({
      connection_max_age: '15m0s',
      session_server: { session_timeout: 1800 },
    });
  });

  it('loses what means nothing, and says so', () => {
    expect(config).not.toMatch(/shm_size|oom_kill_disable|token_obtained_at|gcs/);
    expect(said).toContain('Left out, as they say what is so anyway: check_interval, shutdown_timeout, ');
    expect(said).not.toContain('Not taken over');
  });

  it('is not taken for what GitLab keeps', () => {
    expect(said).toContain('GitLab keeps tags, protection and limits');
  });
});

/** A config.toml of one runner with more in it. */
const withKeys = ({ global = '', runner = '', docker = '', more = '' }: Record<string, string>) => `
${global}
[[runners]]
  name = "a"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker"
  ${runner}
  [runners.docker]
    volumes = ["/var/run/docker.sock:/var/run/docker.sock"]
    ${docker}
  ${more}
`;

describe('keys that no answer knows', () => {
  it('are carried over as they stand, each in its table', () => {
    const { global, runners, config } = movedIn({
      'config.toml': withKeys({
        global: 'check_interval = 7\nlog_format = "json"\nsentry_dsn = ""',
        runner: `limit = 3\nshell = "bash"\npre_build_script = '''\nset -e\necho "a\\b"\n'''\noutput_limit = 8192`,
        docker: 'memory = "2g"\ndns = ["10.0.0.1"]\ncpu_shares = 512\nservices_limit = 0',
        more: `[runners.docker.sysctls]\n"net.core.somaxconn" = "1024"\n[[runners.docker.services]]\nname = "redis:7"\nalias = "r"\n[runners.feature_flags]\nFF_X = true`,
      }),
    });
    expect(global).toMatchObject({ check_interval: 7, log_format: 'json', sentry_dsn: '' });
    expect(runners[0]).toMatchObject({
      limit: 3,
      shell: 'bash',
      pre_build_script: 'set -e\necho "a\\b"\n',
      output_limit: 8192,
      feature_flags: { FF_X: true },
      docker: {
        memory: '2g',
        dns: ['10.0.0.1'],
        cpu_shares: 512,
        services_limit: 0,
        sysctls: { 'net.core.somaxconn': '1024' },
        services: [{ name: 'redis:7', alias: 'r' }],
      },
    });
    expect(config).toContain('echo "a\\b"\n');
  });

  it('count more than what the new repository would have, and lists are put together', () => {
    const { runners } = movedIn(
      {
        'config.toml': withKeys({
          runner: 'request_concurrency = 1',
          docker: 'pull_policy = "never"\ncap_drop = ["SYS_CHROOT"]\nsecurity_opt = ["label=disable"]',
        }),
      },
      { hardening: 'recommended' },
    );
    expect(runners[0]).toMatchObject({
      request_concurrency: 1,
      docker: {
        pull_policy: 'never',
        cap_drop: ['SYS_CHROOT', 'NET_RAW', 'MKNOD'],
        security_opt: ['label=disable', 'no-new-privileges:true'],
      },
    });
  });

  it('give way to the way to build, in words', () => {
    const { runners, said } = movedIn(
      { 'config.toml': withKeys({ docker: 'network_mode = "ci"\nprivileged = true' }) },
      { builder: 'buildkit' },
    );
    expect(runners[0]!.docker).not.toHaveProperty('privileged');
    expect(runners[0]!.docker.network_mode).toBe('my-runner-jobs');
    expect(JSON.stringify(runners[0]!.docker.volumes)).not.toContain('docker.sock');
    expect(said).toMatch(/the builder or the cache decides them: .*privileged.*network_mode.*volumes/);
  });
});

describe('what of a config.toml is a secret', () => {
  const dsn = 'https://0123456789abcdef@sentry.example.com/2';
  const { texts, said, environment, runners } = movedIn({
    'config.toml': withKeys({
      global: `sentry_dsn = "${dsn}"`,
      runner: `environment = ["DOCKER_AUTH_CONFIG={\\"auths\\":{\\"x\\":{\\"auth\\":\\"c2VjcmV0\\"}}}", "A=b", "API_TOKEN=hunter22"]\nclone_url = "https://me:hunter22@gitlab.example.com"`,
      more: `[runners.cache]\nType = "s3"\nPath = "x"\nShared = false\n[runners.cache.s3]\nServerAddress = "s3.example.com"\nAccessKey = "AKIAEXAMPLE"\nSecretKey = "s3/cr+et=$x"\nBucketName = "my-cache"\nBucketLocation = "eu-west-1"`,
    }),
  });

  it('comes into no file but .env, and into no message', () => {
    for (const text of [...Object.values(texts), said])
      for (const secret of [token, dsn, 'c2VjcmV0', 'hunter22', 'AKIAEXAMPLE', 's3/cr+et'])
        expect(text).not.toContain(secret);
    expect(runners[0]!.environment).toEqual(['A=b']);
  });

  it('is named where it has no place', () => {
    for (const name of ['sentry_dsn', 'environment DOCKER_AUTH_CONFIG', 'environment API_TOKEN', 'clone_url'])
      expect(said).toContain(`- ${name} of config.toml: a secret, which may not be in Git`);
  });

  it('is in .env where the repository has a variable for it', () => {
    expect(environment).toContain('\nCACHE_S3_ACCESS_KEY=AKIAEXAMPLE\n');
    expect(environment).toContain("\nCACHE_S3_SECRET_KEY='s3/cr+et=$x'\n");
  });

  it('leaves the rest of the cache as answers, and as it stands', () => {
    expect(runners[0]!.cache).toMatchObject({
      Type: 's3',
      Path: 'x',
      Shared: false,
      s3: {
        ServerAddress: 's3.example.com',
        BucketName: 'my-cache',
        BucketLocation: 'eu-west-1',
        AuthenticationType: 'iam',
      },
    });
  });
});

describe('several runners', () => {
  const block = (name: string, more: string, executor = 'docker', url = 'https://gitlab.example.com') =>
    `[[runners]]\nname = "${name}"\nurl = "${url}"\ntoken = "${runnerTokenOf(name.replace(/\W/g, ''))}"\nexecutor = "${executor}"\n${more}\n`;
  const docker =
    '[runners.docker]\nimage = "docker:27"\nvolumes = ["/var/run/docker.sock:/var/run/docker.sock"]';

  it('become one repository, each with its token and its way to build', () => {
    const { runners, environment, answers, said } = movedIn({
      'config.toml': [
        block('first', docker),
        block('none', ''),
        block(
          'Deploy to Prod',
          '[runners.docker]\nimage = "docker:27"\nprivileged = true\nextra_hosts = ["x.example.com:10.0.0.1"]',
        ),
      ].join(''),
    });
    expect(runners.map(({ name }) => name)).toEqual(['first', 'none', 'deploy-to-prod']);
    expect(environment).toContain(`\nRUNNER_TOKEN=${runnerTokenOf('first')}\n`);
    expect(environment).toContain(`\nRUNNER_TOKEN_DEPLOY_TO_PROD=${runnerTokenOf('DeploytoProd')}\n`);
    expect(runners[2]!.docker.services_privileged).toBe(true);
    expect(answers.extraHosts).toEqual(['x.example.com:10.0.0.1']);
    expect(said).toContain('The runner "Deploy to Prod" is called deploy-to-prod here');
  });

  it('keep their tokens whatever their names and their order', () => {
    const named = (name: string) => block(name, docker);
    const store = JSON.stringify({
      'generator-gitlab-runner-docker': {
        description: 'main one',
        builder: 'socket',
        runners: { waiting: { builder: 'buildkit', dockerImage: 'docker:cli' }, 7: { tags: 'seven' } },
      },
    });
    const { runners, environment, answers } = movedIn({
      '.yo-rc.json': store,
      'config/config.toml': [named('deploy'), named('7'), named('main one')].join(''),
    });
    expect(answers.description).toBe('main one');
    expect(runners.map(({ name }) => name).sort()).toEqual(['7', 'deploy', 'main one', 'waiting']);
    for (const line of [
      `RUNNER_TOKEN=${runnerTokenOf('mainone')}`,
      `RUNNER_TOKEN_7=${runnerTokenOf('7')}`,
      `RUNNER_TOKEN_DEPLOY=${runnerTokenOf('deploy')}`,
      'RUNNER_TOKEN_WAITING=',
    ])
      expect(environment.split('\n')).toContain(line);
  });

  it('of other executors, and of another GitLab, stay out, in words', () => {
    const { runners, said } = movedIn({
      'config.toml': [
        block('first', docker),
        block('shelly', '', 'shell'),
        block('other', docker, 'docker', 'https://other.example.com'),
      ].join(''),
    });
    expect(runners).toHaveLength(1);
    expect(said).toContain('- the runner shelly: its executor is shell, so its jobs run on a machine');
    expect(said).toContain('- the runner other: it is one of another GitLab');
  });

  it('are refused where none has the executor docker', () => {
    expect(() => movedIn({ 'config.toml': block('k', '', 'kubernetes') })).toThrow(
      'No runner there has the executor',
    );
  });
});

describe('a script that registers', () => {
  const script = `#!/bin/sh
set -eu
GITLAB_URL=https://gitlab.example.com   # ours
export TOKEN="${token}"
docker run --rm -v /srv/gitlab-runner/config:/etc/gitlab-runner gitlab/gitlab-runner:v16.11.0 register \\
  --non-interactive --url "$GITLAB_URL" --token "$TOKEN" \\
  --executor docker --docker-image "docker:24" --description 'old one' \\
  --docker-volumes /var/run/docker.sock:/var/run/docker.sock --docker-volumes "/cache" \\
  --docker-privileged=false --docker-pull-policy if-not-present --env A=1,2 --env B=3 \\
  --tag-list "docker, linux" --run-untagged="true" --locked=false --maximum-timeout 7200 \\
  --access-level ref_protected --paused --docker-shm-size 300 --maintenance-note "see the wiki"
`;

  it('becomes answers, settings and config.toml, and its token goes to .env', () => {
    const { answers, runners, texts, environment, said } = movedIn(
      { 'register.sh': script },
      {},
      'register.sh',
    );
    expect(answers).toMatchObject({
      gitlabUrl: 'https://gitlab.example.com',
      description: 'old one',
      dockerImage: 'docker:24',
      tags: ['docker', 'linux'],
      runUntagged: true,
      builder: 'socket',
      runnerImage: 'gitlab/gitlab-runner:v16.11.0',
    });
    expect(texts['scripts/settings.ts']).toMatch(
      /locked: false,\n {4}access_level: 'ref_protected',\n {4}maximum_timeout: 7200,\n {4}paused: true,/,
    );
    expect(runners[0]).toMatchObject({
      environment: ['A=1,2', 'B=3'],
      docker: { pull_policy: ['if-not-present'], shm_size: 300 },
    });
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(JSON.stringify(texts) + said).not.toContain(token);
    expect(said).toContain('- register.sh: --maintenance-note of register');
    expect(said).not.toContain('GitLab keeps tags');
  });

  it('adds to the config.toml beside it what only it says', () => {
    const { answers, runners, texts } = movedIn({ 'register.sh': script, 'config/config.toml': registered });
    expect(answers).toMatchObject({ description: 'builds on tor', tags: ['docker', 'linux'] });
    expect(runners[0]!.docker.image).toBe('ruby:3.1');
    expect(texts['scripts/settings.ts']).toContain('maximum_timeout: 7200');
  });

  it('is listed where only running it would tell', () => {
    const { said, environment } = movedIn({
      'register.sh':
        'docker exec -it runner gitlab-runner register --url https://x.example.com --token "$(cat /run/token)" -r $REG\n',
    });
    expect(said).toContain(
      '- register.sh: --token of register\n  - register.sh: --registration-token of register',
    );
    expect(environment).toMatch(/^RUNNER_TOKEN=$/m);
  });

  it('has its registration token in .env, the old way', () => {
    const { environment, said } = movedIn({
      'register.sh': `gitlab-runner register -n -u https://x.example.com -r ${registrationToken} --executor docker\n`,
    });
    expect(environment).toContain(`\nREGISTRATION_TOKEN=${registrationToken}\n`);
    expect(said).toContain('1 [[runners]], none with a token of its own.');
    expect(said).not.toContain(registrationToken.slice(0, 9));
  });
});

describe('a docker run line', () => {
  it('becomes answers, and what it mounts and sets beyond is listed', () => {
    const { answers, environment, said } = movedIn(
      {
        'run.txt': `sudo docker run -dit --name gitlab-runner --restart always --network gitlab_default \\
  --add-host gitlab.example.com:10.0.0.5 -e TZ=Europe/Berlin -e "HTTP_PROXY=http://proxy.example.com:3128" -eFOO=bar \\
  -v /srv/gitlab-runner/config:/etc/gitlab-runner -v /data:/data --dns=10.0.0.1 --privileged \\
  -v /var/run/docker.sock:/var/run/docker.sock gitlab/gitlab-runner:alpine-v17.2.0\n`,
      },
      {},
      'run.txt',
    );
    expect(answers).toMatchObject({
      runnerImage: 'gitlab/gitlab-runner:alpine-v17.2.0',
      extraHosts: ['gitlab.example.com:10.0.0.5'],
      dockerNetwork: 'gitlab_default',
      httpProxy: 'http://proxy.example.com:3128',
    });
    expect(environment).toContain('\nTZ=Europe/Berlin\n');
    for (const text of ['mounts of the container: /data:/data', 'variables of the container: FOO'])
      expect(said).toContain(`- ${text}`);
    expect(said).toContain('whether it needs these too: --dns, --privileged.');
  });

  it('is refused where it runs something else', () => {
    expect(() => movedIn({ 'run.sh': 'docker run -d nginx\n' })).toThrow('holds nothing of a runner');
  });
});

describe('a docker-compose.yml', () => {
  it('becomes answers by its .env, and its other services are listed', () => {
    const { answers, said, environment } = movedIn({
      '.env': 'VERSION=v17.1.0\nTZ=Asia/Tokyo\nSECRET_OF_MINE=hunter22\n',
      'docker-compose.yml': `services:
  runner:
    image: gitlab/gitlab-runner:\${VERSION:-latest}
    restart: unless-stopped
    extra_hosts: ["gitlab.local:192.168.0.9"]
    environment:
      - TZ=\${TZ}
      - https_proxy=http://me:hunter22@proxy:3128
    networks: [outside, inner]
    volumes:
      - ./config:/etc/gitlab-runner:Z
      - { type: bind, source: ./certs, target: /etc/gitlab-runner/certs }
      - /var/run/docker.sock:/var/run/docker.sock
  redis:
    image: redis:7
networks:
  outside: { external: true, name: gitlab_net }
  inner: {}
`,
      'config/config.toml': registered,
    });
    expect(answers).toMatchObject({
      runnerImage: 'gitlab/gitlab-runner:v17.1.0',
      extraHosts: ['gitlab.local:192.168.0.9'],
      dockerNetwork: 'gitlab_net',
      privateCa: true,
      httpProxy: undefined,
      concurrent: 4,
    });
    expect(environment).toContain('\nTZ=Asia/Tokyo\n');
    expect(said).toContain('- the service redis of docker-compose.yml');
    expect(said).toContain(
      '- --http-proxy, "http://***proxy:3128": The proxy must not need a user name or password',
    );
    expect(said).toContain('- SECRET_OF_MINE of .env');
    expect(said).toContain('Copy the certificate of your authority to config/certs/ca.crt');
    expect(said).not.toContain('hunter22');
  });

  it('whose container registers by its environment becomes answers too', () => {
    const { answers, environment, runners } = movedIn({
      'compose.yaml': `services:
  register:
    image: gitlab/gitlab-runner:alpine
    command: register --non-interactive --locked=false
    environment:
      CI_SERVER_URL: https://x.example.com
      CI_SERVER_TOKEN: ${token}
      RUNNER_EXECUTOR: docker
      RUNNER_NAME: by environment
      RUNNER_TAG_LIST: a,b
      DOCKER_IMAGE: alpine:3
      DOCKER_PRIVILEGED: "true"
`,
    });
    expect(answers).toMatchObject({ description: 'by environment', tags: ['a', 'b'], builder: 'dind' });
    expect(runners[0]!.docker.image).toBe('alpine:3');
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
  });
});

describe('what does not go with the way to build', () => {
  it('is named, and does not stop the run', () => {
    const { answers, said } = movedIn({
      'config.toml': withKeys({}).replace(
        'volumes = ["/var/run/docker.sock:/var/run/docker.sock"]',
        'privileged = true\ndisable_cache = true',
      ),
      'run.sh': 'docker run -d --network outside gitlab/gitlab-runner\n',
    });
    expect(answers).toMatchObject({ builder: 'dind', cache: 'local', dockerNetwork: undefined });
    expect(said).toContain('- the network outside: jobs are on that of what dind builds with');
    expect(said).toContain('- disable_cache: without volumes');
  });

  it('is told where how jobs build cannot be told', () => {
    const { answers, said } = movedIn({
      'config.toml': withKeys({}).replace('volumes = ["/var/run/docker.sock:/var/run/docker.sock"]', ''),
    });
    expect(answers.builder).toBe('buildah');
    expect(said).toContain('How jobs build images could not be told');
  });

  it('is that a job may run for longer than the runner waits', () => {
    const { said } = movedIn({
      'register.sh':
        'gitlab-runner register --executor docker --maximum-timeout 9000 --url https://x.example.com --token glrt-abcdefghijk\n',
    });
    expect(said).toContain('let stop_grace_period in docker-compose.yml be as long');
  });
});

it('two runners of one name, as that of their host is by default, move in under two', () => {
  const { runners } = movedIn({ 'config.toml': `${runnerCalled('web')}${runnerCalled('web')}` });
  expect(runners.map(({ name }) => name)).toEqual(['web', 'web-2']);
});

/** A runner of that name. */
function runnerCalled(name: string): string {
  return `[[runners]]
  name = "${name}"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker"
  [runners.docker]
    image = "docker:stable"
    volumes = ["/var/run/docker.sock:/var/run/docker.sock"]
`;
}

describe('what is no runner', () => {
  it.each([
    ['no path', {}, 'gone', 'There is no '],
    ['an empty folder', {}, '', 'holds nothing of a runner'],
    ['broken TOML', { 'config.toml': `token = "${token}\n` }, '', 'config.toml is not valid TOML'],
    ['broken YAML', { 'compose.yml': 'a: [\n' }, '', 'compose.yml is not valid YAML'],
    [
      'two of them',
      { 'config.toml': 'concurrent = 1', 'config/config.toml': 'concurrent = 1' },
      '',
      'several files',
    ],
  ])('is refused in a sentence without a secret: %s', (_, files, path, sentence) => {
    const attempt = () => movedIn(files as Record<string, string>, {}, path);
    expect(attempt).toThrow(sentence);
    expect(attempt).not.toThrow(token);
  });
});
