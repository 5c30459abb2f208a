import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../support/certificates.ts';
import { GitLabServer } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { hasTerminals, Terminal } from '../support/terminal.ts';
import { engine } from './support/engines.ts';
import { type Outcome, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');

describe.skipIf(!needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)'))('make register', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  let url = '';

  /** A new GitLab; all of them have the address that the repository was made for. */
  const serve = async (options: Parameters<typeof GitLabServer.start>[0] = {}): Promise<void> => {
    const port = url === '' ? 0 : Number(new URL(url).port);
    gitlab = await GitLabServer.start({ host: '0.0.0.0', port, ...options });
    url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
  };

  const configFiles = (): string[] => readdirSync(join(repository.folder, 'config')).sort();
  const untouched = ['template.toml'];

  beforeAll(async () => {
    await serve();
    await gitlab.stop();
    // A folder's name must not matter to make, the shell, Compose or Docker.
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url], "the team's $runner é ");
  });

  afterAll(() => repository?.dispose());

  beforeEach(() => serve());

  afterEach(async () => {
    await gitlab.stop();
    const made = configFiles().filter(name => !untouched.includes(name));
    for (const path of ['.env', ...made.map(name => `config/${name}`)]) {
      rmSync(join(repository.folder, path), { recursive: true, force: true });
    }
  });

  describe('with an authentication token', () => {
    let token: string;

    beforeEach(() => {
      token = gitlab.addRunner({ tagList: ['docker'] }).token;
      repository.writeEnv({ RUNNER_TOKEN: token });
    });

    it("writes the article's runner to config.toml, closed to others, and shows no token", async () => {
      const { code, output } = await repository.make('register');
      expect(output).toContain('Registered "My Docker Runner"');
      expect(code).toBe(0);
      expect(output).not.toContain(token);
      expect(output.trimEnd()).toMatch(/Next: make up$/);
      const file = join(repository.folder, 'config/config.toml');
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(repository.config()).toMatchObject({
        concurrent: 2,
        runners: [
          {
            name: 'My Docker Runner',
            url,
            token,
            executor: 'docker',
            docker: {
              image: 'docker:stable',
              privileged: false,
              volumes: ['/var/run/docker.sock:/var/run/docker.sock', '/cache'],
              pull_policy: ['always', 'if-not-present'],
            },
          },
        ],
      });
      expect(configFiles()).toEqual(['.runner_system_id', 'config.toml', 'template.toml']);
      expect((await repository.make('validate')).code).toBe(0);
    });

    it('is done once: a second run verifies the runner and changes nothing', async () => {
      await repository.make('register');
      const before = repository.read('config/config.toml');
      const { code, output } = await repository.make('register');
      expect([code, output]).toEqual([0, expect.stringContaining('is registered')]);
      expect(output).not.toContain(token);
      expect(repository.read('config/config.toml')).toBe(before);
    });

    it('adds another runner with --force, and keeps the first as it is', async () => {
      await repository.make('register');
      const [first] = repository.config().runners;
      const again = await repository.make('register ARGS=--force');
      expect(again.code).not.toBe(0);
      expect(again.output).toContain('This runner is in config/config.toml already.');
      const second = gitlab.addRunner().token;
      const { code } = await repository.make('register ARGS=--force', { RUNNER_TOKEN: second });
      expect(code).toBe(0);
      expect(repository.config().runners).toMatchObject([first, { token: second }]);
    });

    it('keeps comments out of the way: a config.toml edited by hand is as it was after a failed run', async () => {
      await repository.make('register');
      const edited = `# by hand\n${repository.read('config/config.toml')}`;
      repository.write('config/config.toml', edited);
      gitlab.failNext({ method: 'POST', path: /runners\/verify$/ }, 500, undefined, 5);
      const { code } = await repository.make('register ARGS=--force', {
        RUNNER_TOKEN: gitlab.addRunner().token,
      });
      expect(code).not.toBe(0);
      expect(repository.read('config/config.toml')).toBe(edited);
    });

    it('says that a registered runner is not known any more, and what to do', async () => {
      await repository.make('register');
      gitlab.runners.clear();
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toMatch(/does not accept its token any more\.\n.*make unregister/);
    });

    it('prints the exact command with --dry-run, tokens masked, and does nothing', async () => {
      const { code, stdout, output } = await repository.make('register ARGS=--dry-run');
      expect(code).toBe(0);
      expect(output).not.toContain(token);
      expect(stdout).toContain('CI_SERVER_TOKEN=[masked] docker compose run');
      expect(stdout).toContain('--docker-image=docker:stable');
      expect(stdout).not.toMatch(/--(locked|access-level|run-untagged|maximum-timeout|paused|tag-list)/);
      expect(gitlab.requests).toEqual([]);
      expect(configFiles()).toEqual(untouched);
    });

    it('gives the token to the container by environment: no process has it in its arguments', async () => {
      gitlab.delayNext({ method: 'POST', path: /runners\/verify$/ }, 0);
      const running = repository.startMake('register');
      const seen = new Set<string>();
      let going = true;
      running.ended.finally(() => {
        going = false;
      });
      while (going) {
        for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
          try {
            seen.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
          } catch {
            // It ended meanwhile.
          }
        }
        await new Promise(resolve => setTimeout(resolve, 5));
      }
      expect((await running.ended).code).toBe(0);
      const words = [...seen];
      expect(words.some(line => line.includes('register') && line.includes('--docker-image'))).toBe(true);
      expect(words.filter(line => line.includes(token))).toEqual([]);
    });

    it('works on Node.js 20 with tsx, as README.md says', async () => {
      const tsx = join(import.meta.dirname, '../tools/node_modules/.bin/tsx');
      const { code } = await run([tsx, 'scripts/register.ts'], repository.at({ PATH: modern!.env.PATH }));
      expect(code).toBe(0);
      expect(repository.config().runners).toMatchObject([{ token }]);
    });

    it('works on a host without a Node that runs TypeScript: the script runs in a container', async () => {
      const { code, output } = await repository.make('register', { PATH: modern!.env.PATH });
      expect(output).toContain('in a container');
      expect(code).toBe(0);
      expect(repository.config().runners).toMatchObject([{ token }]);
    });
  });

  describe('with an access token', () => {
    it('creates the runner in a project found by its path, and registers it', async () => {
      const projectId = gitlab.addProject('team/app');
      const accessToken = gitlab.addAccessToken(['create_runner', 'read_api']);
      repository.writeEnv({ GITLAB_ACCESS_TOKEN: accessToken, GITLAB_PROJECT_ID: 'team/app' });
      const { code, output } = await repository.make('register');
      expect(output).toContain('Registered "My Docker Runner"');
      expect(code).toBe(0);
      const [created] = gitlab.runners.values();
      expect(created).toMatchObject({
        createdBy: 'api',
        projectId,
        description: 'My Docker Runner',
        tagList: ['docker'],
        runUntagged: false,
        locked: true,
        accessLevel: 'not_protected',
        maximumTimeout: 3600,
      });
      expect(repository.config().runners).toMatchObject([{ id: created!.id, token: created!.token }]);
      expect(output).not.toContain(accessToken);
      expect(output).not.toContain(created!.token);
      const kept = configFiles().map(name => repository.read(`config/${name}`));
      expect(kept.join('\n')).not.toContain(accessToken);
      const senders = gitlab.requests.filter(({ headers }) => headers['private-token'] === accessToken);
      expect(senders.map(({ method, path }) => `${method} ${path}`)).toEqual([
        'GET /api/v4/projects/team%2Fapp',
        'POST /api/v4/user/runners',
      ]);
    });

    it('needs no more than create_runner where the project is given by number', async () => {
      const projectId = gitlab.addProject('team/app');
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner']),
        GITLAB_PROJECT_ID: String(projectId),
      });
      expect((await repository.make('register')).code).toBe(0);
      expect([...gitlab.runners.values()]).toMatchObject([{ projectId }]);
    });

    it('creates a runner of a group, or of the whole instance', async () => {
      const groupId = gitlab.addGroup('team');
      const GITLAB_ACCESS_TOKEN = gitlab.addAccessToken(['api']);
      repository.writeEnv({ GITLAB_ACCESS_TOKEN, GITLAB_GROUP_ID: 'team' });
      expect((await repository.make('register')).code).toBe(0);
      repository.writeEnv({ GITLAB_ACCESS_TOKEN, RUNNER_TYPE: 'instance_type' });
      expect((await repository.make('register ARGS=--force')).code).toBe(0);
      expect([...gitlab.runners.values()]).toMatchObject([
        { runnerType: 'group_type', groupId },
        { runnerType: 'instance_type' },
      ]);
    });

    it.each([
      ['expired', { expired: true }, ['create_runner'], 'it has expired'],
      ['revoked', { revoked: true }, ['create_runner'], 'it is wrong or was revoked'],
      ['too weak', {}, ['read_user'], 'lacks the scope create_runner'],
    ])('says so where the token is %s', async (_, state, scopes, sentence) => {
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(scopes, state),
        GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
      });
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toContain(sentence);
      expect(output).toMatch(/Make .* with the scope create_runner/);
      expect(configFiles()).toEqual(untouched);
    });

    it.each(['GITLAB_PROJECT_ID', 'GITLAB_GROUP_ID'])('says that %s is not found', async name => {
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']),
        [name]: 'team/nothing',
      });
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toContain('team/nothing that GITLAB_ACCESS_TOKEN may see');
      expect(output).toContain(`Check ${name} in .env`);
      expect(gitlab.runners.size).toBe(0);
    });

    it('deletes the runner again that it created, where registering it fails', async () => {
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']),
        GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
      });
      gitlab.failNext({ method: 'POST', path: /runners\/verify$/ }, 403);
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toMatch(/The runner #\d+, just created in GitLab, was deleted again\./);
      expect(gitlab.runners.size).toBe(0);
      expect(repository.config).toThrow();
    });

    it('tells how to delete the runner that it created, where it cannot', async () => {
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']),
        GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
      });
      gitlab.failNext({ method: 'POST', path: /runners\/verify$/ }, 403);
      gitlab.failNext({ method: 'DELETE', path: /runners$/ }, 500);
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toMatch(/could not be deleted: .* delete it at .*Settings > CI\/CD > Runners/);
      const [created] = gitlab.runners.values();
      expect(output).toContain(`#${created!.id}`);
      expect(output).not.toContain(created!.token);
    });
  });

  describe('with a registration token', () => {
    it('registers with tags, lock, access level and timeout, and warns that the way is off by default', async () => {
      await gitlab.stop();
      await serve({ allowRegistrationToken: true });
      repository.writeEnv({ GITLAB_URL: url, REGISTRATION_TOKEN: gitlab.registrationToken });
      const { code, output } = await repository.make('register');
      expect(output).toContain('off by default since GitLab 17');
      expect(code).toBe(0);
      expect([...gitlab.runners.values()]).toMatchObject([
        {
          createdBy: 'registration-token',
          tagList: ['docker'],
          runUntagged: false,
          locked: true,
          maximumTimeout: 3600,
        },
      ]);
      expect(output).not.toContain(gitlab.registrationToken);
      expect(repository.config().runners).toHaveLength(1);
    });

    it('names the 410 of a GitLab that takes none, and the way that it does take', async () => {
      repository.writeEnv({ REGISTRATION_TOKEN: gitlab.registrationToken });
      const { code, output } = await repository.make('register');
      expect(code).not.toBe(0);
      expect(output).toContain('takes no registration tokens (410 Gone)');
      expect(output).toMatch(/glrt- token into \.env as RUNNER_TOKEN/);
      expect(configFiles()).toEqual(['.runner_system_id', 'template.toml']);
    });

    it('says that the token is wrong', async () => {
      await gitlab.stop();
      await serve({ allowRegistrationToken: true });
      repository.writeEnv({ GITLAB_URL: url, REGISTRATION_TOKEN: 'wrong' });
      const { code, output } = await repository.make('register');
      expect([code === 0, output]).toEqual([
        false,
        expect.stringContaining('does not accept REGISTRATION_TOKEN'),
      ]);
    });

    it('takes the runner off GitLab again where config.toml cannot be written', async () => {
      await gitlab.stop();
      await serve({ allowRegistrationToken: true });
      repository.writeEnv({
        GITLAB_URL: url,
        RUNNER_TOKEN: gitlab.addRunner({ description: 'first' }).token,
      });
      await repository.make('register');
      repository.writeEnv({ GITLAB_URL: url, REGISTRATION_TOKEN: gitlab.registrationToken });
      gitlab.delayNext({ method: 'POST', path: /runners$/ }, 1500);
      const running = repository.startMake('register ARGS=--force');
      while (!gitlab.requests.some(({ method, path }) => method === 'POST' && path.endsWith('/runners'))) {
        await new Promise(resolve => setTimeout(resolve, 20));
      }
      const changed = `# changed meanwhile\n${repository.read('config/config.toml')}`;
      repository.write('config/config.toml', changed);
      const { code, output } = await running.ended;
      expect([code === 0, output]).toEqual([false, expect.stringContaining('was changed meanwhile')]);
      expect(output).toContain('was deleted again');
      expect(repository.read('config/config.toml')).toBe(changed);
      expect([...gitlab.runners.values()].map(({ description }) => description)).toEqual(['first']);
    });
  });

  describe('with what cannot work', () => {
    it.each([
      ['RUNNER_TOKEN', 'glpat-abc', /not a runner authentication token.*\n.*GITLAB_ACCESS_TOKEN/],
      ['RUNNER_TOKEN', 'whatever', /not a runner authentication token.*\n.*New runner/],
      ['GITLAB_ACCESS_TOKEN', 'glrt-abc', /not an access token\.\n.*RUNNER_TOKEN/],
      ['REGISTRATION_TOKEN', 'glrt-abc', /is a runner authentication token\.\n.*RUNNER_TOKEN/],
      ['RUNNER_TOKEN', 'glrt-abc', /does not accept RUNNER_TOKEN: .*\n.*New runner/],
    ])('says what is wrong with %s=%s', async (name, value, sentence) => {
      repository.writeEnv({ [name]: value });
      const { code, output } = await repository.make('register');
      expect([code === 0, output]).toEqual([false, expect.stringMatching(sentence)]);
      expect(configFiles()).toEqual(untouched);
    });

    it('says which tokens there are where it has none and cannot ask', async () => {
      const { code, output } = await repository.make('register');
      expect([code === 0, output]).toEqual([
        false,
        expect.stringMatching(
          /no token to register with\.\n.*RUNNER_TOKEN, GITLAB_ACCESS_TOKEN or REGISTRATION_TOKEN/,
        ),
      ]);
    });

    it.each([
      ['an unknown name', 'http://gitlab.invalid', /The name gitlab\.invalid is not known \(DNS\)/],
      ['a closed port', 'http://127.0.0.1:9', /Nothing listens at 127\.0\.0\.1:9/],
      ['no address', 'gitlab.example.com', /GITLAB_URL is not an address/],
    ])('tells %s', async (_, address, sentence) => {
      repository.writeEnv({ GITLAB_URL: address, RUNNER_TOKEN: 'glrt-abc' });
      const { code, output } = await repository.make('register');
      expect([code === 0, output]).toEqual([false, expect.stringMatching(sentence)]);
    });

    it('tells an address without a GitLab, and one that redirects', async () => {
      repository.writeEnv({ GITLAB_URL: `${url}/wrong/path`, RUNNER_TOKEN: 'glrt-abc' });
      expect((await repository.make('register')).output).toContain('There is no GitLab API at');
      gitlab.failNext({ path: /version$/ }, 502);
      repository.writeEnv({ RUNNER_TOKEN: 'glrt-abc' });
      expect((await repository.make('register')).output).toContain('GitLab answers with HTTP 502');
    });

    it('tells that no engine answers, and that Docker is missing', async () => {
      repository.writeEnv({ RUNNER_TOKEN: 'glrt-abc' });
      const stopped = await repository.make('register', { DOCKER_HOST: 'unix:///nowhere/docker.sock' });
      expect([stopped.code === 0, stopped.output]).toEqual([
        false,
        expect.stringMatching(/No Docker Engine answers: .*\n.*systemctl start docker/),
      ]);
      const node = repository.env.PATH!.split(':')[0];
      const missing = await run([`${node}/node`, 'scripts/register.ts'], repository.at({ PATH: '/nowhere' }));
      expect([missing.code, missing.output]).toEqual([
        1,
        expect.stringContaining('Docker is not installed.'),
      ]);
    });

    it('tells that the certificate is signed by an authority that nobody here knows, and takes it', async () => {
      await gitlab.stop();
      const tls = selfSigned(modern!.hostAddress);
      await serve({ tls });
      const { token } = gitlab.addRunner();
      repository.writeEnv({ GITLAB_URL: url, RUNNER_TOKEN: token });
      const refused = await repository.make('register');
      expect([refused.code === 0, refused.output]).toEqual([
        false,
        expect.stringMatching(
          /signed by an authority that this host does not know\.\n.*config\/certs\/ca\.crt/,
        ),
      ]);
      mkdirSync(join(repository.folder, 'config/certs'));
      repository.write('config/certs/ca.crt', tls.cert);
      const taken = await repository.make('register');
      expect([taken.code, taken.output]).toEqual([0, expect.stringContaining('Registered')]);
    });
  });

  describe.skipIf(process.getuid?.() !== 0)('as a user who is not root', () => {
    /** Runs `make` as a user with the groups given; the repository is this user's. */
    const makeAsUser = async (
      words: string,
      groups: string[],
      env: NodeJS.ProcessEnv = {},
    ): Promise<Outcome> => {
      const user = ['setpriv', '--reuid', '65534', '--regid', '65534', ...groups];
      const { folder } = repository;
      await run(['chown', '-R', '65534:65534', '.env', '.'], repository.at());
      for (const name of ['config.toml', '.runner_system_id']) {
        await run(['chown', '-f', '0:0', join(folder, 'config', name)], repository.at());
      }
      return run(
        [...user, 'make', '--no-print-directory', ...words.split(' ')],
        repository.at({ HOME: '/tmp', ...env }),
      );
    };

    afterEach(() => run(['chown', '-R', '0:0', '.'], repository.at()));

    it('says what to do about a missing permission to use the engine', async () => {
      repository.writeEnv({ RUNNER_TOKEN: 'glrt-abc' });
      const { code, output } = await makeAsUser('register', ['--clear-groups']);
      expect([code === 0, output]).toEqual([
        false,
        expect.stringMatching(/permission denied on its socket\)\.\n.*usermod -aG docker/),
      ]);
    });

    it('says it too on a host without a Node that runs TypeScript', async () => {
      repository.writeEnv({ RUNNER_TOKEN: 'glrt-abc' });
      const { code, output } = await makeAsUser('register', ['--clear-groups'], { PATH: modern!.env.PATH });
      expect([code === 0, output]).toEqual([
        false,
        expect.stringMatching(/permission denied on its socket\)\.\n.*usermod -aG docker/),
      ]);
    });

    it("registers, checks and unregisters, though config.toml is root's", async () => {
      repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
      const group = ['--groups', String(statSync(modern!.env.DOCKER_HOST!.replace('unix://', '')).gid)];
      const registered = await makeAsUser('register', group);
      expect([registered.code, registered.output]).toEqual([0, expect.stringContaining('Registered')]);
      const file = statSync(join(repository.folder, 'config/config.toml'));
      expect([file.uid, file.mode & 0o777]).toEqual([0, 0o600]);
      const again = await makeAsUser('register', group);
      expect([again.code, again.output]).toEqual([0, expect.stringContaining('is registered')]);
      const gone = await makeAsUser('unregister YES=1', group);
      expect([gone.code, gone.output]).toEqual([0, expect.stringContaining('Unregistered.')]);
      expect(repository.config().runners).toBeUndefined();
    });
  });

  describe.skipIf(!needs(hasTerminals(), 'tmux'))('in a terminal', () => {
    it('asks for a token, does not show it, and registers', async () => {
      const { token } = gitlab.addRunner();
      const terminal = new Terminal('make register', repository.at());
      try {
        await terminal.shows(/Token: /);
        terminal.type(token);
        terminal.press('Enter');
        const text = await terminal.shows(/ended with \d+/, 60);
        expect(text).toContain('Registered "My Docker Runner"');
        expect(text).toContain('ended with 0');
        expect(text).not.toContain(token);
      } finally {
        terminal.close();
      }
      expect(repository.config().runners).toMatchObject([{ token }]);
    });

    it('asks for the project too where it got an access token', async () => {
      const projectId = gitlab.addProject('team/app');
      const token = gitlab.addAccessToken(['create_runner', 'read_api']);
      const terminal = new Terminal('make register', repository.at());
      try {
        await terminal.shows(/Token: /);
        terminal.type(token);
        terminal.press('Enter');
        await terminal.shows(/project/);
        terminal.type('team/app');
        terminal.press('Enter');
        expect(await terminal.shows(/ended with \d+/, 60)).toContain('ended with 0');
      } finally {
        terminal.close();
      }
      expect([...gitlab.runners.values()]).toMatchObject([{ projectId }]);
    });

    it('ends at Ctrl-C, and nothing was changed', async () => {
      const terminal = new Terminal('make register', repository.at());
      try {
        await terminal.shows(/Token: /);
        terminal.type('glrt-half');
        terminal.press('C-c');
        const text = await terminal.shows(/ended with \d+/);
        expect(text).not.toContain('ended with 0');
        expect(text).not.toContain('glrt-half');
      } finally {
        terminal.close();
      }
      expect(gitlab.requests).toEqual([]);
      expect(configFiles()).toEqual(untouched);
    });
  });

  describe('interrupted', () => {
    it('leaves config.toml and GitLab as they were, at whatever step Ctrl-C comes', async () => {
      repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ description: 'first' }).token });
      await repository.make('register');
      const before = repository.read('config/config.toml');
      repository.writeEnv({
        GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['api']),
        GITLAB_PROJECT_ID: String(gitlab.addProject('team/app')),
      });
      for (const path of [/version$/, /user\/runners$/, /runners\/verify$/]) {
        gitlab.requests.length = 0;
        gitlab.delayNext({ path }, 1000);
        const running = repository.startMake('register ARGS=--force');
        while (!gitlab.requests.some(request => path.test(request.path))) {
          await new Promise(resolve => setTimeout(resolve, 20));
        }
        process.kill(-running.child.pid!, 'SIGINT');
        const { code } = await running.ended;
        expect(code).not.toBe(0);
        expect(repository.read('config/config.toml')).toBe(before);
        expect(configFiles()).toEqual(['.runner_system_id', 'config.toml', 'template.toml']);
        expect([...gitlab.runners.values()].map(({ description }) => description)).toEqual(['first']);
      }
    });
  });

  it('closes a .env that others could read', async () => {
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    await run(['chmod', '644', '.env'], repository.at());
    const { output } = await repository.make('register');
    expect(output).toContain('its mode is 0600 now');
    expect(statSync(join(repository.folder, '.env')).mode & 0o777).toBe(0o600);
  });

  it('makes a .env with mode 0600 that git ignores', async () => {
    await repository.make('.env');
    expect(statSync(join(repository.folder, '.env')).mode & 0o777).toBe(0o600);
    const { stdout } = await run(['git', 'status', '--porcelain', '--ignored'], repository.at());
    expect(stdout).toContain('!! .env');
  });

  it('makes nothing in config/ that git does not ignore', async () => {
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner().token });
    await repository.make('register');
    const others = ['git', 'ls-files', '--others', '--exclude-standard', 'config'];
    expect((await run(others, repository.at())).stdout).toBe('config/template.toml\n');
    const ignored = await run([...others, '--ignored'], repository.at());
    expect(ignored.stdout).toBe('config/.runner_system_id\nconfig/config.toml\n');
  });
});
