import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { runners } from '../../../examples/default/scripts/settings.ts';
import type { Result, Run, Verdict } from '../../../templates/scripts/host.ts';
import { checks, configOf } from '../../../templates/scripts/jobs.ts';
import { composeConfig } from './compose.ts';

/** What the repository's files hold, by the end of their path. */
const files = vi.hoisted(() => new Map<string, string>());
vi.mock('node:fs', async original => {
  const real = await original<typeof import('node:fs')>();
  const known = (path: unknown) => [...files.keys()].find(end => String(path).endsWith(end)) ?? '';
  return {
    ...real,
    existsSync: (path: string) => files.has(known(path)) || real.existsSync(path),
    readFileSync: (path: string, options: 'utf8') =>
      files.get(known(path)) ?? real.readFileSync(path, options),
  };
});

const config = (docker = '', runner = '') => `concurrent = 2

[[runners]]
  name = "My Docker Runner"
  url = "\${GITLAB_URL}" # from .env
${runner}
  [runners.docker]
    image = "docker:stable"
    volumes = ["/var/run/docker.sock:/var/run/docker.sock", "/cache"]
    pull_policy = ["always", "if-not-present"]
${docker}
`;

const well = 'gitlab=wget: server returned error: HTTP/1.1 401 Unauthorized\nclient=1.47\nrefusal=\n';

/** Answers of programs by a beginning of the command; what is not there succeeds and prints nothing. */
type Answers = Record<string, Partial<Result>>;

async function examine(name: string, answers: Answers = {}, variables: Record<string, string> = {}) {
  const commands: string[] = [];
  const scripts: string[] = [];
  const run: Run = async (command, options = {}) => {
    const words = command.join(' ');
    commands.push(options.environment ? `${JSON.stringify(options.environment)} ${words}` : words);
    scripts.push(command[command.indexOf('-c') + 1] ?? '');
    const [start, answer = {}] = Object.entries(answers).find(([start]) => words.startsWith(start)) ?? [];
    if (words.startsWith('docker compose') && start === undefined) return composeConfig(command, options);
    return { status: 0, stdout: words.startsWith('docker run') ? well : '', stderr: '', ...answer };
  };
  const found: [Verdict, string, string][] = [];
  const none = { GITLAB_ACCESS_TOKEN: '', GITLAB_PROJECT_ID: '' };
  for (const [key, value] of Object.entries({ ...none, GITLAB_URL: 'http://gitlab.test', ...variables }))
    vi.stubEnv(key, value);
  const check = checks.find(one => one.name === name)!;
  await Promise.resolve(check.run(run, (...words) => found.push([words[0], words[1], words[2] ?? '']))).catch(
    error => found.push(['unknown', error.message, '']),
  );
  return { found, commands, scripts, texts: found.map(([verdict, detail]) => `${verdict}: ${detail}`) };
}

beforeEach(() => {
  files.clear();
  files.set('config/config.toml', config());
  files.set('/.gitlab-ci.yml', 'build:\n  tags: [docker]\n  script: docker build .\n');
});

describe('the check of pipelines', () => {
  const verdicts = async (text: string, variables = {}) => {
    files.set('/.gitlab-ci.yml', text);
    return (await examine('pipeline', {}, variables)).texts;
  };

  it.each([
    ['tags:\n    - docker   # the big one'],
    ['tags: [docker] # all of them'],
    ['tags:\n    - "docker" # x'],
    ['tags:\n  - docker'],
    ["tags: [ 'docker' ]"],
    ["tags:\n    # it's the one\n\n    - docker\n    # - other"],
    ['tags: [\n    docker, # the only one\n  ]'],
  ])('reads %j with certainty', async tags => {
    expect(await verdicts(`build:\n  ${tags}\n  script: make\n`)).toEqual(
      ['.gitlab-ci.yml, job "build": asks for what settings.ts says (images are not looked at)'].map(
        text => `ok: ${text}`,
      ),
    );
  });

  it('reads a job that has an anchor, or a name in quotes, and lines that end as on Windows', async () => {
    const text = '"a: b": &job\n  tags: [docker]\n  script:\n  - docker run --rm\n    -v $PWD:/x y\n';
    expect(await verdicts(text.replaceAll('\n', '\r\n'))).toEqual([
      expect.stringMatching(/^warning: .gitlab-ci.yml, job "a: b": it mounts/),
    ]);
  });

  it.each(['!reference [.x, tags]', '[$WHERE]', '["$WHERE"]', '$WHERE', '{a: b}', '[!reference [.x, tags]]'])(
    'cannot tell what the tags %s are',
    async tags => {
      const [text] = await verdicts(`build:\n  tags: ${tags}\n  script: make\n`);
      expect(text).toMatch(/^unknown: .gitlab-ci.yml, job "build": its tags are not in this file/);
    },
  );

  it('warns of a job that asks for no tag, where the runner takes none such', async () => {
    expect(await verdicts('build:\n  script: make\n')).toEqual([
      expect.stringMatching(/^warning: .*asks for no tag/),
    ]);
    runners[0]!.run_untagged = true;
    expect(await verdicts('build:\n  script: make\n')).toEqual([expect.stringMatching(/^ok/)]);
    runners[0]!.run_untagged = false;
  });

  it.each([
    ['docker system prune -f', true],
    ['sudo docker volume prune --force', true],
    ['docker container prune -f', true],
    ['docker network prune -f', true],
    ['docker kill $(docker ps -q)', true],
    ['docker image prune', false],
    ['docker image prune -af', true],
    ['docker stop $(docker ps -q)', true],
    ['docker rmi `docker images -q`', true],
    ['docker rm -f $(docker ps -aqf name=mine)', false],
    ['docker builder prune -f', false],
    ['ssh host docker system prune -f', false],
    ['docker -H tcp://other:2376 system prune; docker system prune', false],
    ['docker system prune --filter label=mine', false],
  ])('knows whether "%s" takes what is of other jobs', async (command, takes) => {
    const texts = await verdicts(`build:\n  tags: [docker]\n  script:\n    - ${JSON.stringify(command)}\n`);
    expect(texts.some(text => text.startsWith('warning'))).toBe(takes);
  });

  it.each([
    ['docker run -v "$PWD":/src alpine', true],
    ['docker run --rm -v ${CI_PROJECT_DIR}:/src alpine', true],
    ['docker run --mount type=bind,source=$(pwd),target=/src alpine', true],
    ['docker create --volume=./data:/data alpine', true],
    ['docker run -v data:/data alpine', false],
    ['docker run alpine; ls -v ./x', false],
    ['ssh host docker run -v $PWD:/x y', false],
  ])('knows whether "%s" mounts a folder of the job', async (command, mounts) => {
    const texts = await verdicts(`build:\n  tags: [docker]\n  script:\n    - '${command}'\n`);
    expect(texts.some(text => /^warning: .*mounts/.test(text))).toBe(mounts);
  });

  it.each([
    'default:\n  tags: [docker]\nbuild:\n  inherit:\n    default: false\n  script: make\n',
    'include: other.yml\ndefault:\n  tags: [docker]\nbuild:\n  script: make\n',
    'build:\n  extends: .elsewhere\n  script: make\n',
  ])('cannot tell the tags of a job that may not get them from what it reads: %j', async text => {
    expect((await verdicts(text))[0]).toMatch(/^unknown: .*job "build": its tags are not in this file/);
  });

  it('says nothing where a runner has no pipeline here', async () => {
    runners[0]!.pipeline = '';
    expect(await verdicts('')).toEqual([]);
    runners[0]!.pipeline = '.gitlab-ci.yml';
  });

  it('says that there is no job, and that a file is no pipeline, without a stack trace', async () => {
    expect(await verdicts('stages: [a]\n')).toEqual([expect.stringMatching(/^unknown: .*no job/)]);
    expect(await verdicts('# nothing yet\n')).toEqual([expect.stringMatching(/^unknown: .*no job/)]);
    expect(await verdicts('a:\n  script: x\nb:\n  script: [x\nc: d\n')).toEqual([
      expect.stringMatching(
        /^unknown: Compose, version 2, does not read .gitlab-ci.yml: yaml: line [45]: \w/,
      ),
    ]);
  });

  it('names no line before the first, where Compose means the start of what it was handed', async () => {
    const stderr = 'yaml: line 2: did not find expected key\n';
    expect((await examine('pipeline', { 'docker compose -f': { status: 1, stderr } })).texts).toEqual([
      expect.stringMatching(/yaml: line 1: did not find expected key$/),
    ]);
  });

  it.each(['\n', '\r\n'])('reads what comes after a header of inputs, where lines end by %j', async end => {
    const text = 'spec:\n  inputs:\n    a:\n      default: b\n---\nbuild:\n  tags: [docker]\n  script: x\n';
    expect(await verdicts(text.replaceAll('\n', end))).toEqual([
      expect.stringMatching(/^ok: .*, job "build": /),
    ]);
  });

  it.each([
    'script: [!reference [.x, script]]',
    'script:\n    - !reference [\n        .x,\n        script,\n      ]',
    'services: !reference [.x, services]',
    'variables:\n    DOCKER_HOST: !reference [.x, variables, DOCKER_HOST]',
    'extends: .elsewhere',
  ])('says that not all of a job is in the file: %j', async rest => {
    expect(await verdicts(`build:\n  tags: [docker]\n  ${rest}\n`)).toEqual([
      expect.stringMatching(/^unknown: .*job "build": not all of it is in this file/),
    ]);
  });

  it('says so beside what it finds in the rest, save where an engine may be named in what it does not read', async () => {
    const mounts = 'build:\n  tags: [docker]\n  script: docker run -v $PWD:/x y\n';
    const unknown = expect.stringMatching(/^unknown: .*job "build": not all of it is in this file/);
    expect(await verdicts(`${mounts}  services: !reference [.x, services]\n`)).toEqual([
      expect.stringMatching(/^warning: .*it mounts/),
      unknown,
    ]);
    expect(await verdicts(`${mounts}  extends: .elsewhere\n`)).toEqual([unknown]);
  });

  it.each(['before_script', 'after_script'])('looks at the commands of %s too', async key => {
    const text = `build:\n  tags: [docker]\n  script: make\n  ${key}: [docker run -v $PWD:/x y]\n`;
    expect(await verdicts(text)).toEqual([expect.stringMatching(/^warning: .*it mounts/)]);
  });

  it('finds a DOCKER_HOST that is written with its description, and asks for no service that is not read', async () => {
    const text =
      'variables:\n  DOCKER_HOST:\n    value: tcp://docker:2375\n    description: x\nbuild:\n  tags: [docker]\n  script: docker info\n';
    expect(await verdicts(text)).toEqual([expect.stringMatching(/^failed: .*no engine answers/)]);
    expect(await verdicts(`${text}  services: !reference [.x, services]\n`)).toEqual([
      expect.stringMatching(/^unknown: .*not all of it/),
    ]);
  });

  it('wants all tags of a job among those of the runner', async () => {
    expect(await verdicts('build:\n  tags: [docker, gpu]\n  script: x\n')).toEqual([
      expect.stringMatching(/^warning: .*job "build": it asks for docker, gpu: another runner/),
    ]);
  });

  describe('by GitLab', () => {
    const token = { GITLAB_ACCESS_TOKEN: 'an-access-token' };
    const file = 'a:\n  tags: [docker]\n  script: x\n';
    const ask = async (answer: object, variables: Record<string, string>) => {
      const fetched = vi.fn(async (_url: string) => Response.json(answer));
      vi.stubGlobal('fetch', fetched);
      const texts = await verdicts(file, variables).finally(() => vi.unstubAllGlobals());
      return { texts, asked: fetched.mock.calls.map(([url]) => url) };
    };

    it('is not asked without the number or path of a project', async () => {
      const { texts, asked } = await ask({}, token);
      expect([texts, asked]).toEqual([[expect.stringMatching(/^ok: .gitlab-ci.yml, job "a"/)], []]);
    });

    it('is asked of the project of the runner, where it has one of its own', async () => {
      const answer = { valid: true, merged_yaml: 'b:\n  tags: [docker]\n  script: x\n' };
      Object.assign(runners[0]!, { project: 'group/own' });
      const { texts, asked } = await ask(answer, { ...token, GITLAB_PROJECT_ID: '1' }).finally(() =>
        Object.assign(runners[0]!, { project: undefined }),
      );
      expect(asked).toEqual(['http://gitlab.test/api/v4/projects/group%2Fown/ci/lint']);
      expect(texts).toEqual([expect.stringMatching(/^ok: project group\/own in GitLab, job "b"/)]);
    });

    it('leaves it to the file where the project has no pipeline yet', async () => {
      const answer = { valid: false, errors: ['Please provide content of .gitlab-ci.yml'] };
      const { texts } = await ask(answer, { ...token, GITLAB_PROJECT_ID: '1' });
      expect(texts).toEqual([expect.stringMatching(/^ok: .gitlab-ci.yml, job "a"/)]);
    });
  });

  it('reads the file where the access token may not have it read', async () => {
    vi.stubGlobal('fetch', async () => new Response('{"error":"insufficient_scope"}', { status: 403 }));
    const texts = await verdicts('a:\n  tags: [docker]\n  script: x\n', {
      GITLAB_ACCESS_TOKEN: 'an-access-token',
      GITLAB_PROJECT_ID: '1',
    });
    vi.unstubAllGlobals();
    expect(texts).toEqual([expect.stringMatching(/^ok: .gitlab-ci.yml, job "a"/)]);
  });
});

it('finds no block of config.toml for a runner that has none there, and names it', () => {
  files.set('config/config.toml', config().replace('My Docker Runner', 'Other'));
  expect(() => configOf(runners[0]!)).toThrow('has no [[runners]] with the name "My Docker Runner"');
});

describe('the check of a job', () => {
  const job = async (answer: Partial<Result>, more: Answers = {}, variables = {}) =>
    examine('job', { ...more, 'docker run': answer }, variables);
  const inside = (changes: Record<string, string>) =>
    job({
      stdout: Object.entries(changes).reduce(
        (text, [key, value]) => `${text.replace(new RegExp(`^${key}=.*\n`, 'm'), '')}${key}=${value}\n`,
        well,
      ),
    });

  it('finds all well', async () => {
    const { texts, commands } = await job({});
    expect(texts).toEqual([
      'ok: a job in docker:stable speaks API 1.47 with the engine',
      'ok: http://gitlab.test answers a job',
    ]);
    expect(commands.find(command => command.startsWith('docker run'))).toContain(
      '--mount=type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock',
    );
    expect(commands.join()).toContain('--volume=/cache');
    expect(commands.every(command => !/ pull /.test(command))).toBe(true);
  });

  it('starts the container with what config/config.toml says', async () => {
    const docker = [
      ...[
        'dns = ["192.0.2.1"]',
        'dns_search = ["corp"]',
        'user = "1000"',
        'userns_mode = "host"',
        'runtime = "runc"',
      ],
      ...['devices = ["/dev/fuse"]', 'memory = "1g"', 'cpus = "1"', 'cap_add = ["A"]', 'cap_drop = ["ALL"]'],
      ...['security_opt = ["no-new-privileges"]', 'network_mode = "jobs"', 'extra_hosts = ["a:1.2.3.4"]'],
    ];
    files.set('config/config.toml', config(docker.join('\n'), 'environment = ["A=b"]'));
    const { commands } = await job({});
    for (const option of [
      ...[
        '--dns=192.0.2.1',
        '--dns-search=corp',
        '--user=1000',
        '--userns=host',
        '--runtime=runc',
        '--env A=b',
      ],
      ...['--device=/dev/fuse', '--memory=1g', '--cpus=1', '--cap-add=A', '--cap-drop=ALL'],
      ...['--security-opt=no-new-privileges', '--network=jobs', '--add-host=a:1.2.3.4'],
    ])
      expect(commands.join()).toContain(` ${option} `);
  });

  it('starts nothing where the image is not here, or config.toml is not read', async () => {
    const missing = await job({}, { 'docker image inspect': { status: 1 } });
    expect(missing.texts).toEqual([expect.stringMatching(/^unknown: docker:stable is not on this host yet/)]);
    files.set('config/config.toml', config('    dns = """x"""'));
    const unread = await job({});
    expect(unread.texts).toEqual([expect.stringMatching(/^unknown: config\/config.toml: dns/)]);
    expect([...missing.commands, ...unread.commands].join()).not.toContain('docker run');
  });

  it.each([
    [
      'client version 1.40 is too old. Minimum supported API version is 1.44',
      'failed: a job in docker:stable is too old for the engine: client version 1.40 is too old',
      '"min-api-version": "1.40"',
    ],
    ['sh: docker: not found', 'warning: a job in docker:stable has no docker command', 'docker:cli'],
    [
      'permission denied while trying to connect',
      'failed: a job in docker:stable may not use the socket',
      'label:disable',
    ],
    [
      'Cannot connect to the Docker daemon',
      'failed: a job in docker:stable reaches no engine: Cannot',
      'config/config.toml',
    ],
  ])('says what it means that docker says "%s"', async (refusal, text, remedy) => {
    const { found, texts } = await inside({ refusal, client: '' });
    expect([texts[0], found[0]![2]]).toEqual([
      expect.stringContaining(text),
      expect.stringContaining(remedy),
    ]);
  });

  it('is not sure of a docker that printed nothing', async () => {
    expect((await inside({ client: '' })).texts[0]).toBe('unknown: docker in docker:stable printed nothing.');
  });

  it.each<Partial<Result>>([
    { stdout: well.replace('refusal=', 'refusal=it is a folder') },
    { status: 125, stderr: 'bind source path does not exist: /var/run/docker.sock' },
  ])(
    'says where the path of the socket is to be had, where there is a folder or nothing: %j',
    async answer => {
      expect((await job(answer)).found[0]).toEqual([
        'failed',
        expect.stringMatching(/finds no socket at the path in config.toml/),
        expect.stringContaining('docker context ls'),
      ]);
    },
  );

  it.each([
    [
      'OCI runtime create failed: exec: operation not permitted',
      'failed: a job in docker:stable does not start: OCI',
    ],
    [
      'docker: Error response from daemon: network repo-jobs not found',
      'unknown: a job in docker:stable needs a network',
    ],
    ['no space left on device', 'failed: a job in docker:stable reaches no engine: no space left on device'],
  ])('says why no container starts: %s', async (stderr, text) => {
    files.set('config/config.toml', config('    security_opt = ["no-new-privileges:true"]'));
    expect((await job({ status: 125, stderr })).texts).toEqual([expect.stringContaining(text)]);
  });

  it('cannot tell of a container that does not end', async () => {
    expect((await job({ status: 124 })).texts).toEqual([expect.stringMatching(/^unknown/)]);
  });

  it.each([
    ["wget: bad address 'gitlab.test'", 'failed'],
    ["wget: can't connect to remote host: Connection refused", 'failed'],
    ['ERROR: The certificate of gitlab.test has expired.', 'warning'],
    ['ERROR: cannot verify certificate', 'warning'],
    ['wget: server returned error: HTTP/1.1 502 Bad Gateway', 'failed'],
    ['HTTP request sent, awaiting response... 401 Unauthorized', 'ok'],
    ["'/dev/null' saved", 'unknown'],
    ['', 'unknown'],
  ])('takes "%s" from GitLab for %s', async (answer, verdict) => {
    const { found } = await inside({ gitlab: answer });
    expect(found[1]![0]).toBe(verdict);
  });

  it.each([
    ['docker compose up -d', 'no-compose', true],
    ['docker-compose build', 'no-compose', true],
    ['apk add docker-cli-compose && docker compose up', 'no-compose', false],
    ['apt-get install docker-compose-plugin && docker compose up', 'no-compose', false],
    ['docker buildx build .', 'no-buildx', true],
    ['docker build .', 'no-buildx', false],
    ['docker compose up -d', 'no-buildx', false],
  ])('warns of "%s" where the image answers %s: %s', async (command, lack, isWarned) => {
    files.set('/.gitlab-ci.yml', `build:\n  tags: [docker]\n  script: ["${command}"]\n`);
    const { texts } = await inside({ [lack]: '1' });
    expect(texts.some(text => /^warning: there is no "docker \w+" in docker:stable/.test(text))).toBe(
      isWarned,
    );
    files.set('/.gitlab-ci.yml', `build:\n  tags: [docker]\n  image: other\n  script: ["${command}"]\n`);
    expect((await inside({ [lack]: '1' })).texts.join()).not.toContain('warning');
  });

  it.each([
    ['registry.example.com/team/ci:1', 'unauthorized: access denied', '', true],
    ['localhost:5000/ci', 'denied: requested access to the resource is denied', '', true],
    ['registry.example.com/team/ci:1', 'no such host', '', false],
    ['registry.example.com/team/ci:1', '', '', false],
    ['registry.example.com/team/ci:1', 'unauthorized', 'environment = ["DOCKER_AUTH_CONFIG={}"]', false],
    ['docker:stable', 'unauthorized', '', false],
  ])(
    'warns of the image %s, where whoever has no login is told "%s", and config.toml has "%s": %s',
    async (image, stderr, more, isWarned) => {
      files.set('config/config.toml', config('', more).replace('docker:stable', image));
      const { texts, commands } = await job({}, { 'docker manifest inspect': { status: 1, stderr } });
      expect(texts.some(text => /^warning: .* needs a login/.test(text))).toBe(isWarned);
      if (isWarned)
        expect(commands.join('\n')).toContain(
          `{"DOCKER_CONFIG":"/no-login"} docker manifest inspect ${image}`,
        );
    },
  );

  it.each(['image: docker:stable', 'image:\n    name: docker:stable'])(
    'looks so at jobs that name the same image, and run here: %j',
    async image => {
      const text = (tag: string) => `build:\n  tags: [${tag}]\n  ${image}\n  script: docker compose up\n`;
      files.set('/.gitlab-ci.yml', text('docker'));
      expect((await inside({ 'no-compose': '1' })).texts.join()).toContain('there is no "docker compose"');
      files.set('/.gitlab-ci.yml', text('mac'));
      expect((await inside({ 'no-compose': '1' })).texts.join()).not.toContain('warning');
    },
  );

  it('looks at the world of a job also where no pipeline can be read', async () => {
    files.set('/.gitlab-ci.yml', 'a: [\n');
    expect((await job({})).texts).toEqual([
      expect.stringMatching(/^ok: .* speaks API/),
      expect.stringMatching(/^ok: .* answers a job/),
    ]);
  });

  it.each([[[]], [['compose']], [['buildx']]])(
    'has a probe that a shell runs, and that tells what docker lacks but %j',
    async has => {
      const folder = mkdtempSync(join(tmpdir(), 'probe-'));
      try {
        const known = ['version', ...has].join('|');
        const docker = `#!/bin/sh\ncase $1 in ${known}) echo 1.47;; *) exit 1;; esac\n`;
        for (const [name, text] of [
          ['docker', docker],
          ['wget', '#!/bin/sh\necho "wget: HTTP 401" >&2\n'],
        ]) {
          writeFileSync(join(folder, name!), text!);
          chmodSync(join(folder, name!), 0o755);
        }
        const script = (await job({})).scripts.find(text => text.includes('client='))!;
        const shell = ['-c', script.replaceAll('/tmp/', `${folder}/`), 'probe', 'http://gitlab.test'];
        const environment = { PATH: `${folder}:${process.env.PATH}` };
        const printed = execFileSync('sh', shell, { encoding: 'utf8', env: environment }).split('\n');
        expect(printed).toEqual(expect.arrayContaining(['gitlab=wget: HTTP 401', 'client=1.47']));
        expect(printed.filter(line => line.startsWith('no-'))).toEqual(
          ['compose', 'buildx'].filter(name => !has.includes(name as never)).map(name => `no-${name}=1`),
        );
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  it('warns where jobs clone from another address than that of GitLab', async () => {
    files.set('config/config.toml', config('', '  clone_url = "http://other"'));
    expect((await job({})).texts[0]).toMatch(/^warning: jobs clone from http:\/\/other/);
  });
});
