import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import { beforeAll, describe, expect, it } from 'vitest';
import { questions, type TypedAnswers } from '../../generators/app/questions.ts';
import { type Scenario, scenarios } from '../support/answers.ts';
import { planWith, writeAll } from '../support/rendered.ts';

/** What templates/scripts/config.ts exports, as far as it is tried here. */
interface ConfigScript {
  bringInLine(toml: string, keys?: Record<string, string>): { text: string; changes: Change[] };
  readRunners(toml: string): Record<string, string | string[]>[];
  jobNetwork(runner: unknown): string | undefined;
  settingsOf(name: string): object | undefined;
  withKeys(toml: string, runner: number, keys: Record<string, string>): string;
}

interface Change {
  readonly runner: string;
  readonly key: string;
  readonly from: string;
  readonly to: string;
}

/** The fewest keys that there can be. */
const relaxed: TypedAnswers = { hardening: 'relaxed' };

/** The script of a repository that answers give; `template` is added at the end of its config/template.toml. */
async function scriptOf(typed: Scenario = {}, template = ''): Promise<ConfigScript> {
  const folder = writeAll({ ...relaxed, ...typed });
  appendFileSync(join(folder, 'config/template.toml'), template);
  return import(pathToFileURL(join(folder, 'scripts/config.ts')).href);
}

const byDefault: TypedAnswers = { hardening: questions.hardening.default };

const socket = '/var/run/docker.sock:/var/run/docker.sock';

/** A config.toml as `gitlab-runner register` writes it, which shows those answers already. */
const registered = `concurrent = 2
check_interval = 0
shutdown_timeout = 0

[session_server]
  session_timeout = 1800

[[runners]]
  name = "My Docker Runner"
  url = "https://gitlab.com"
  id = 7
  token = "glrt-t0k3n"
  token_obtained_at = 2026-11-01T10:00:00Z
  token_expires_at = 0001-01-01T00:00:00Z
  unhealthy_interval = "1m0s"
  executor = "docker"
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
  [runners.docker]
    tls_verify = false
    image = "docker:stable"
    privileged = false
    disable_cache = false
    volumes = ["${socket}", "/cache"]
    shm_size = 0
    pull_policy = ["always", "if-not-present"]
    network_mtu = 0
`;

let script: ConfigScript;
beforeAll(async () => {
  script = await scriptOf();
});

/** The text with parts replaced, each of which must be there. */
function edited(text: string, ...parts: readonly (readonly [string, string])[]): string {
  return parts.reduce((before, [from, to]) => {
    expect(before).toContain(from);
    return before.replace(from, () => to);
  }, text);
}

describe('withKeys', () => {
  const keys = { token: '"glrt-new"', token_expires_at: '2027-01-01T00:00:00Z' };

  it('changes what it is told in one runner, and no other character', () => {
    const other = registered.slice(registered.indexOf('[[runners]]')).replace('glrt-t0k3n', 'glrt-other');
    const both = `${registered}\n# mine\n${other}`;
    const expected = edited(
      both,
      ['"glrt-t0k3n"', '"glrt-new"'],
      ['token_expires_at = 0001-01-01T00:00:00Z', 'token_expires_at = 2027-01-01T00:00:00Z'],
    );
    expect(script.withKeys(both, 1, keys)).toBe(expected);
    expect(parseToml(script.withKeys(both, 2, keys))).toMatchObject({
      runners: [{ token: 'glrt-t0k3n' }, { token: 'glrt-new' }],
    });
  });

  it('keeps what stands behind a value, and adds a key that is not there to the right table', () => {
    const short = '[[runners]] # one\n  token = "x" # mine\n  executor = "docker"\n  [runners.docker]\n';
    const text = script.withKeys(short, 1, keys);
    expect(text).toContain('  token = "glrt-new" # mine\n');
    expect(parseToml(text)).toMatchObject({
      runners: [{ token: 'glrt-new', token_expires_at: new Date('2027-01-01T00:00:00Z'), docker: {} }],
    });
  });

  it('changes nothing where there is no such runner', () => {
    expect(script.withKeys(registered, 2, keys)).toBe(registered);
  });
});

describe('readRunners', () => {
  const one = {
    number: 1,
    name: 'My Docker Runner',
    id: '7',
    url: 'https://gitlab.com',
    token: 'glrt-t0k3n',
    tokenObtainedAt: '2026-11-01T10:00:00Z',
    tokenExpiresAt: '0001-01-01T00:00:00Z',
    executor: 'docker',
    image: 'docker:stable',
    volumes: [socket, '/cache'],
  };

  it('reads what GitLab Runner writes', () => {
    expect(script.readRunners(registered)).toEqual([one]);
  });

  it('finds none where there is none', () => {
    expect(script.readRunners('')).toEqual([]);
    expect(script.readRunners('concurrent = 2\n# [[runners]]\n[session_server]\n')).toEqual([]);
  });

  it('keeps several apart, also where one has no [runners.docker]', () => {
    const shell = '[[runners]]\n  name = "shell"\n  executor = "shell"\n';
    const names = (toml: string) => script.readRunners(toml).map(({ name, image }) => [name, image]);
    expect(names(`${shell}${registered}`)).toEqual([
      ['shell', ''],
      ['My Docker Runner', 'docker:stable'],
    ]);
    expect(names(`${registered}${shell}`)).toEqual([
      ['My Docker Runner', 'docker:stable'],
      ['shell', ''],
    ]);
  });

  it.each([
    ['with a comment behind the value', 'name = "x" # not "y"', 'x'],
    ['with # in the text', 'name = "a # b"', 'a # b'],
    ['with a quote in the text', String.raw`name = "say \"hi\" \\"`, String.raw`say "hi" \ `.trimEnd()],
    ['in single quotes, which escape nothing', String.raw`name = 'C:\new "x"'`, String.raw`C:\new "x"`],
    ['with escapes', String.raw`name = "\u00e9\U0001F600\t"`, 'é😀\t'],
    ['without spaces', 'name="x"', 'x'],
    ['empty', 'name = ""', ''],
    ['with brackets in the text', 'name = "[[runners]]"', '[[runners]]'],
    ['with a carriage return at the end of each line', 'name = "x"\r', 'x'],
  ])('reads a text %s', (_, line, name) => {
    const toml = `[[runners]]\n  ${line}\n  executor = "docker"\n`;
    expect(script.readRunners(toml)).toMatchObject([{ name, executor: 'docker' }]);
  });

  it.each([
    ['on one line', '["a", "b"]', ['a', 'b']],
    ['that is empty', '[]', []],
    ['over several lines', '[\n  "a",\n  "b",\n]', ['a', 'b']],
    [
      'with comments between, which hold brackets and quotes',
      '[ # ]\n"a", # "x", ]\n# [\n"b"\n] # "y"',
      ['a', 'b'],
    ],
    ['with texts that hold # and ]', '["a#1", "b]", \'c # ] "\']', ['a#1', 'b]', 'c # ] "']],
    ['of lists that nobody writes, without losing what follows', '[["a"], ["b"]]', ['a', 'b']],
  ])('reads a list %s', (_, list, volumes) => {
    const toml = `[[runners]]\n  [runners.docker]\n    volumes = ${list}\n    image = "i"\n`;
    expect(script.readRunners(toml)).toMatchObject([{ volumes, image: 'i' }]);
  });

  it('takes no line of a text over several lines for a key or a header', () => {
    const toml = '[[runners]]\n  pre_build_script = """\n[[runners]]\nname = "no"\n"""\n  name = "yes"\n';
    expect(script.readRunners(toml)).toMatchObject([{ name: 'yes' }]);
    expect(script.readRunners(toml.replaceAll('"""', "'''"))).toMatchObject([{ name: 'yes' }]);
  });
});

describe('bringInLine', () => {
  it('leaves a config.toml that is as it should be', () => {
    expect(script.bringInLine(registered)).toEqual({ text: registered, changes: [] });
  });

  it('changes a value in its place, and keeps the comment behind it', () => {
    const toml = edited(
      registered,
      ['concurrent = 2', 'concurrent=9   # all of them'],
      ['image = "docker:stable"', 'image = "ruby:3" # old'],
    );
    expect(script.bringInLine(toml)).toEqual({
      text: edited(
        registered,
        ['concurrent = 2', 'concurrent=2   # all of them'],
        ['image = "docker:stable"', 'image = "docker:stable" # old'],
      ),
      changes: [
        { runner: '', key: 'concurrent', from: '9', to: '2' },
        { runner: 'My Docker Runner', key: 'image', from: '"ruby:3"', to: '"docker:stable"' },
      ],
    });
  });

  it('keeps comments, blank lines and keys that it does not know, byte for byte', () => {
    const mine = [
      '# mine: concurrent = 5, image = "x"',
      '',
      '    # image = "x"',
      '\tdns = [ "10.0.0.1",\t"10.0.0.2" ]  # ours',
      '    devices = [\n      "/dev/kvm", # why ]\n    ]',
      '    dns_search = ["a#b", "c]"]',
    ].join('\n');
    const toml = edited(
      registered,
      ['    shm_size = 0', `${mine}\n    shm_size = 64`],
      ['"docker:stable"', '"x"'],
    );
    const { text, changes } = script.bringInLine(toml);
    expect(text).toBe(edited(toml, ['    image = "x"\n', '    image = "docker:stable"\n']));
    expect(changes.map(({ key }) => key)).toEqual(['image']);
  });

  it('replaces a list over several lines by one line, and keeps what follows it', () => {
    const list = `[\n      "/old:/old", # ]\n      "/cache",\n    ] # mounts`;
    const toml = edited(registered, [`["${socket}", "/cache"]`, list]);
    const { text, changes } = script.bringInLine(toml);
    expect(text).toBe(edited(registered, [`["${socket}", "/cache"]`, `["${socket}", "/cache"] # mounts`]));
    expect(changes).toMatchObject([{ key: 'volumes', to: `["${socket}", "/cache"]` }]);
  });

  it('leaves a list that says the same in another way', () => {
    const toml = edited(registered, [
      `["${socket}", "/cache"]`,
      `[\n  '${socket}', # the host\n  "/cache",\n]`,
    ]);
    expect(script.bringInLine(toml)).toEqual({ text: toml, changes: [] });
  });

  it('adds a key that is not there below the others of its table, as they are indented', () => {
    const toml = edited(
      registered,
      ['    pull_policy = ["always", "if-not-present"]\n', ''],
      ['concurrent = 2\n', ''],
    );
    const { text, changes } = script.bringInLine(toml);
    expect(text).toContain('\n    network_mtu = 0\n    pull_policy = ["always", "if-not-present"]\n');
    expect(text).toContain('shutdown_timeout = 0\nconcurrent = 2\n');
    expect(parseToml(text)).toEqual(parseToml(registered));
    expect(changes.map(({ key, from }) => [key, from])).toEqual([
      ['concurrent', ''],
      ['pull_policy', ''],
    ]);
  });

  it('adds what belongs to all at the very beginning where only tables follow', () => {
    const toml = edited(registered, ['concurrent = 2\ncheck_interval = 0\nshutdown_timeout = 0\n\n', '']);
    expect(script.bringInLine(toml).text).toBe(`concurrent = 2\n${toml}`);
  });

  it('removes what another builder left behind, and says so', () => {
    const left = [
      '    network_mode = "my-runner-jobs" # buildkit',
      '    security_opt = [\n      "seccomp=unconfined",\n    ]',
      '    services_privileged = true',
    ].join('\n');
    const toml = edited(
      registered,
      ['    network_mtu = 0', `${left}\n    network_mtu = 0`],
      ['  executor =', '  environment = ["SSL_CERT_DIR=/x", "no_proxy=a"]\n  executor ='],
    );
    const { text, changes } = script.bringInLine(toml);
    expect(text).toBe(registered);
    expect(changes.map(({ key, to }) => [key, to])).toEqual([
      ['environment', ''],
      ['network_mode', ''],
      ['security_opt', ''],
      ['services_privileged', ''],
    ]);
  });

  it('keeps variables that somebody gave to jobs, and shows none of them: they can be secrets', async () => {
    const { bringInLine } = await scriptOf({ httpProxy: 'http://proxy:3128' });
    const own = [
      '  executor =',
      '  environment = ["TOKEN=s3cret", "https_proxy=http://old:1"]\n  executor =',
    ] as const;
    const { text, changes } = bringInLine(edited(registered, own));
    const { environment } = (parseToml(text) as unknown as { runners: [{ environment: string[] }] })
      .runners[0];
    const [planned] = planWith({ httpProxy: 'http://proxy:3128' }).config.runner;
    expect(planned?.key).toBe('environment');
    expect(environment).toEqual(['TOKEN=s3cret', planned?.value].flat());
    expect(bringInLine(text)).toEqual({ text, changes: [] });
    expect(changes).toEqual([
      expect.objectContaining({ key: 'environment', from: '["https_proxy=http://old:1"]' }),
    ]);
    expect(JSON.stringify(changes)).not.toContain('s3cret');
    // And back: only what is its owner's own stays.
    expect(script.bringInLine(text).text).toContain('\n  environment = ["TOKEN=s3cret"]\n');
  });

  it.each([
    'privileged = false',
    'services_privileged = false',
    'network_mode = ""',
    'extra_hosts = []',
    'memory = ""',
    'oom_score_adjust = 0',
  ])('leaves %s, which means the same as nothing', line => {
    const toml = edited(registered, ['    privileged = false\n', `    ${line}\n`]);
    expect(script.bringInLine(toml)).toEqual({ text: toml, changes: [] });
  });

  it('leaves a runner with another executor as it is, and brings every one of Docker in line', () => {
    const other = edited(
      registered.slice(registered.indexOf('[[runners]]')),
      ['"docker"', '"docker+machine"'],
      ['"docker:stable"', '"x"'],
      ['My Docker Runner', 'another'],
    );
    const second = edited(other, ['"docker+machine"', '"docker"'], ['another', 'second']);
    const { text, changes } = script.bringInLine(`${registered}\n${other}\n${second}`);
    expect(text).toBe(`${registered}\n${other}\n${edited(second, ['"x"', '"docker:stable"'])}`);
    expect(changes).toEqual([{ runner: 'second', key: 'image', from: '"x"', to: '"docker:stable"' }]);
  });

  it('knows a runner of Docker by its executor, wherever that stands and however it is quoted', () => {
    const toml = edited(
      registered,
      ['  executor = "docker"', "  executor = 'docker' # here"],
      ['"docker:stable"', '"x"'],
    );
    expect(script.bringInLine(toml).changes.map(({ key }) => key)).toEqual(['image']);
  });

  it('keeps the text of a script over several lines, whatever it looks like', () => {
    const script2 = '  pre_build_script = """\n[runners.docker]\nimage = "no" # ]\nconcurrent = 1\n"""\n';
    const toml = edited(registered, ['  executor =', `${script2}  executor =`], ['"docker:stable"', '"x"']);
    const { text } = script.bringInLine(toml);
    expect(text).toBe(edited(toml, ['image = "x"', 'image = "docker:stable"']));
  });

  it.each(Object.entries(scenarios))(
    'brings one from the defaults to other answers, and then leaves it: %s',
    async (_, typed) => {
      const { bringInLine } = await scriptOf({ ...byDefault, ...typed });
      const { description, runners } = planWith(typed);
      // Where there are several, that is how one is told from another.
      const name = runners.length > 1 ? JSON.stringify(description) : '"My Docker Runner"';
      const mine = registered.replace('"My Docker Runner"', () => name);
      const { text, changes } = bringInLine(mine);
      expect(bringInLine(text)).toEqual({ text, changes: [] });
      const { config, executor, concurrent, monitoring } = planWith(typed);
      const read = parseToml(text) as unknown as {
        concurrent: number;
        listen_address?: string;
        runners: [
          Record<string, unknown> & {
            docker: Record<string, unknown> & { volumes: string[] };
            cache: Record<string, unknown> & { s3: Record<string, unknown> };
          },
        ];
      };
      expect(read.concurrent).toBe(concurrent);
      expect(read.listen_address).toBe(monitoring ? ':9252' : undefined);
      const [{ docker, ...runner }] = read.runners;
      const { cache } = runner;
      expect(docker.image).toBe(executor.image);
      expect(docker.volumes).toEqual(expect.arrayContaining([...executor.volumes]));
      expect(docker.volumes.includes('/cache')).toBe(typed.cache !== 'none');
      for (const { key, value } of config.runner) expect(runner[key]).toEqual(value);
      for (const { key, value } of config.docker) expect(docker[key]).toEqual(value);
      for (const { key, value } of config.cache) expect(cache[key]).toEqual(value);
      for (const { key, value } of config.s3) expect(cache.s3[key]).toEqual(value);
      // What nobody asked for is as it was.
      expect(docker).toMatchObject({ tls_verify: false, shm_size: 0, network_mtu: 0 });
      expect(runner).toMatchObject({ token: 'glrt-t0k3n', cache: { s3: {} } });
      // And back to where it came from, but for an address and a cache that might be somebody's own; a key that is
      // false need not be there.
      const before = config.docker.some(({ key }) => key === 'disable_cache')
        ? edited(mine, ['    disable_cache = false\n', ''])
        : mine;
      const { listen_address: kept, ...back } = parseToml(script.bringInLine(text).text);
      const own = config.s3.length > 0 ? cache : { MaxUploadedArchiveSize: 0, s3: {} };
      const expected = parseToml(before) as { runners: [object] };
      expect({ kept, back }).toEqual({
        kept: read.listen_address,
        back: { ...expected, runners: [{ ...expected.runners[0], cache: own }] },
      });
      expect(changes.every(({ from, to }) => from !== to)).toBe(true);
    },
  );

  it('brings along what its owner adds to config/template.toml', async () => {
    const { bringInLine } = await scriptOf({}, '    memory = "2g" # enough\n    dns = ["10.0.0.1"]\n');
    const { text } = bringInLine(registered);
    expect(text).toBe(`${registered}    memory = "2g"\n    dns = ["10.0.0.1"]\n`);
    expect(bringInLine(text).changes).toEqual([]);
  });

  it('brings the limits of one level to another, and takes away what that does not have', async () => {
    const strict = (await scriptOf({ hardening: 'strict' })).bringInLine(registered);
    expect(parseToml(strict.text)).toMatchObject({
      runners: [
        { debug_trace_disabled: true, docker: { cap_drop: ['ALL'], oom_score_adjust: 500, cpus: '2' } },
      ],
    });
    const own = edited(strict.text, ['oom_score_adjust = 500', 'oom_score_adjust = 100 # mine']);
    const recommended = (await scriptOf(byDefault)).bringInLine(own);
    const { docker, ...runner } = (
      parseToml(recommended.text) as unknown as { runners: [Record<string, object>] }
    ).runners[0];
    expect(runner).not.toHaveProperty('debug_trace_disabled');
    expect(docker).toMatchObject({ cap_drop: ['NET_RAW', 'MKNOD'], oom_score_adjust: 500 });
    for (const key of [
      'cap_add',
      'memory',
      'memory_swap',
      'cpus',
      'allowed_images',
      'allowed_services',
      'service_cpus',
    ])
      expect(docker).not.toHaveProperty(key);
    expect(recommended.text).toContain('oom_score_adjust = 500 # mine\n');
    expect(script.bringInLine(recommended.text).text).toBe(registered);
  });

  it('gives jobs no folder for a cache where the template wants none', async () => {
    const { bringInLine } = await scriptOf({}, '    disable_cache = true\n');
    const { text } = bringInLine(registered);
    expect(parseToml(text)).toMatchObject({
      runners: [{ docker: { disable_cache: true, volumes: [socket] } }],
    });
  });

  it('does not end a file with a line break that had none, nor the other way round', () => {
    const toml = edited(registered, ['"docker:stable"', '"x"']).trimEnd();
    expect(script.bringInLine(toml).text).toBe(registered.trimEnd());
  });
});

it('keeps the ends of lines that an editor of Windows writes, and changes only what differs', () => {
  const windows = registered.replaceAll('\n', '\r\n');
  expect(script.bringInLine(windows)).toEqual({ text: windows, changes: [] });
  const toml = edited(windows, ['"docker:stable"', '"x"']);
  expect(script.bringInLine(toml).text).toBe(windows);
});

describe('several runners', () => {
  const described = { builder: 'socket', runners: { deploy: { builder: 'buildkit' }, plain: {} } };
  /** As it is registered, and once more under another name. */
  const two = (other: string) =>
    `${registered}\n${registered.slice(registered.indexOf('[[runners]]')).replace('"My Docker Runner"', JSON.stringify(other))}`;

  it('are each brought in line with their own settings and template, by their names', async () => {
    const { bringInLine } = await scriptOf(described);
    const { text, changes } = bringInLine(two('deploy'));
    expect(changes.map(({ runner, key }) => [runner, key])).toEqual([
      ['deploy', 'network_mode'],
      ['deploy', 'image'],
      ['deploy', 'volumes'],
    ]);
    const [first, second] = parseToml(text).runners as { docker: Record<string, unknown> }[];
    expect(first?.docker).toMatchObject({ image: 'docker:stable', volumes: [socket, '/cache'] });
    expect(second?.docker).toMatchObject({
      image: 'docker:29.10.0-cli',
      network_mode: 'my-runner-jobs',
      volumes: ['my-runner-client-certs:/certs/client:ro', '/cache'],
    });
    expect(bringInLine(text).changes).toEqual([]);
  });

  it('leave one alone that settings.ts does not describe', async () => {
    const { bringInLine } = await scriptOf(described);
    const toml = two('somebody else').replaceAll('"docker:stable"', '"x"');
    const { text, changes } = bringInLine(toml);
    expect(changes).toEqual([
      { runner: 'My Docker Runner', key: 'image', from: '"x"', to: '"docker:stable"' },
    ]);
    const [, other] = text.split('[[runners]]').slice(1);
    expect(other).toBe(toml.split('[[runners]]')[2]);
  });

  it('are told apart by their names only where there are several: alone, one may be called anything', async () => {
    const { settingsOf } = await scriptOf();
    expect(settingsOf('anything')).toMatchObject({ description: 'My Docker Runner' });
    const several = await scriptOf(described);
    expect(several.settingsOf('plain')).toMatchObject({ tags: ['plain'], template: 'template-plain.toml' });
    expect(several.settingsOf('anything')).toBeUndefined();
  });
});

describe('jobNetwork', () => {
  it('is the one of config/template.toml, if there is one', async () => {
    expect(script.jobNetwork({ template: 'template.toml', image: 'x', volumes: [] })).toBeUndefined();
    const own = await scriptOf({ builder: 'buildkit' });
    expect(own.jobNetwork({ template: 'template.toml', image: 'x', volumes: [] })).toBe('my-runner-jobs');
  });

  it('follows the file when that is edited', async () => {
    const folder = writeAll({ builder: 'buildkit' });
    const file = join(folder, 'config/template.toml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"my-runner-jobs"', "'team' # ours"));
    const { jobNetwork } = await import(pathToFileURL(join(folder, 'scripts/config.ts')).href);
    expect(jobNetwork({ template: 'template.toml', image: 'x', volumes: [] })).toBe('team');
  });
});

describe('bringInLine, for a cache on an S3 server,', () => {
  const keys = { CACHE_S3_ACCESS_KEY: 'AKIA0', CACHE_S3_SECRET_KEY: 's3cr3t' };
  let s3: ConfigScript;
  beforeAll(async () => {
    s3 = await scriptOf({ cache: 's3', builder: 'socket-proxy', dockerImage: 'docker:stable' });
  });
  const cacheOf = (toml: string) =>
    (parseToml(toml) as unknown as { runners: { cache?: { s3?: object } }[] }).runners.map(
      ({ cache }) => cache,
    );
  const wanted = {
    Type: 's3',
    Shared: true,
    s3: {
      ServerAddress: 'job-cache:7070',
      BucketName: 'runner-cache',
      BucketLocation: 'us-east-1',
      Insecure: true,
      AuthenticationType: 'access-key',
      AccessKey: 'AKIA0',
      SecretKey: 's3cr3t',
    },
  };

  it('fills the tables that are there, and keeps what else is in them', () => {
    const mine = edited(
      registered,
      ['    MaxUploadedArchiveSize = 0', '    MaxUploadedArchiveSize = 7 # mine'],
      ['    [runners.cache.s3]', '    [runners.cache.s3]\n      # mine too\n      PathStyle = true'],
    );
    const { text } = s3.bringInLine(mine, keys);
    expect(cacheOf(text)).toEqual([
      { ...wanted, MaxUploadedArchiveSize: 7, s3: { ...wanted.s3, PathStyle: true } },
    ]);
    expect(text).toContain('    MaxUploadedArchiveSize = 7 # mine\n    Type = "s3"\n');
    expect(text).toContain(
      '      # mine too\n      PathStyle = true\n      ServerAddress = "job-cache:7070"\n',
    );
    expect(s3.bringInLine(text, keys)).toEqual({ text, changes: [] });
  });

  it.each([
    ['both', /^ {2}\[runners\.cache\]\n.*\n {4}\[runners\.cache\.s3\]\n/m],
    ['that of S3', /^ {4}\[runners\.cache\.s3\]\n/m],
    ['the outer one', /^ {2}\[runners\.cache\]\n.*\n/m],
  ])('makes the tables that are not there, for each runner: %s', (_, lines) => {
    expect(registered).toMatch(lines);
    const bare = registered.replace(lines, '');
    const other = bare.slice(bare.indexOf('[[runners]]'));
    const { text } = s3.bringInLine(bare + other, keys);
    expect(cacheOf(text)).toMatchObject([wanted, wanted]);
    expect(text).toContain('\n  [runners.cache]\n    ');
    expect(text).toContain('\n    [runners.cache.s3]\n      ');
    expect(s3.bringInLine(text, keys)).toEqual({ text, changes: [] });
  });

  it('says that keys change, and shows none', () => {
    const { text } = s3.bringInLine(registered, { ...keys, CACHE_S3_SECRET_KEY: '0ld' });
    for (const toml of [registered, text]) {
      const { changes } = s3.bringInLine(toml, keys);
      expect(changes.find(({ key }) => key === 'SecretKey')).toMatchObject({ to: '[masked]' });
      expect(JSON.stringify(changes)).not.toMatch(/AKIA0|s3cr3t|0ld/);
    }
  });

  it('leaves keys where they are that .env has no more', () => {
    const { text } = s3.bringInLine(registered, keys);
    expect(s3.bringInLine(text)).toEqual({ text, changes: [] });
    expect(s3.bringInLine(text, { CACHE_S3_ACCESS_KEY: '', CACHE_S3_SECRET_KEY: '' }).changes).toEqual([]);
  });

  it("leaves a cache alone that template.toml does not speak of: it can be somebody's own", async () => {
    const local = await scriptOf({ builder: 'socket-proxy', dockerImage: 'docker:stable' });
    const { text } = s3.bringInLine(registered, keys);
    expect(local.bringInLine(text)).toEqual({ text, changes: [] });
    const gcs = edited(registered, ['    MaxUploadedArchiveSize = 0', '    Type = "gcs"\n    Shared = true']);
    expect(cacheOf(local.bringInLine(gcs).text)).toEqual(cacheOf(gcs));
  });
});
