import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GitLabServer, type RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';

const modern = engine('modern');
const able = needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)');
const hasAge = needs(
  (await run(['sh', '-c', 'command -v age'], { cwd: '/', env: process.env })).code === 0,
  'age',
);

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

describe.skipIf(!able)('a registered runner', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  let known: RunnerRecord;
  let accessToken: string;

  const tokenInFile = (): string => repository.config().runners[0].token;
  const expectNoToken = (...texts: string[]) => {
    for (const text of texts)
      for (const token of [accessToken, known.token]) expect(text).not.toContain(token);
  };

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url], 'day-two-');
    accessToken = gitlab.addAccessToken(['create_runner', 'manage_runner', 'read_api']);
    const project = gitlab.addProject('team/app');
    repository.writeEnv({ GITLAB_ACCESS_TOKEN: accessToken, GITLAB_PROJECT_ID: String(project) });
    const { code, output: text } = await repository.make('register');
    expect(code, text).toBe(0);
    known = [...gitlab.runners.values()][0]!;
  });

  afterAll(async () => {
    await repository?.dispose();
    await gitlab?.stop();
  });

  describe('with settings that changed since', () => {
    it('differs in nothing as long as nobody changed anything', async () => {
      const { code, stdout } = await repository.make('plan');
      expect(code).toBe(0);
      expect(stdout).toMatch(
        /^config\/config\.toml is as .*want it\.\nGitLab has "My Docker Runner" \(#\d+\) as settings\.ts wants it\.\n$/,
      );
    });

    it('is shown by make plan, which changes nothing, here and in GitLab', async () => {
      repository.edit('scripts/settings.ts', "tags: ['docker']", "tags: ['docker', 'linux']");
      repository.edit('scripts/settings.ts', 'concurrent = 2', 'concurrent = 5');
      Object.assign(known, {
        paused: true,
        maximumTimeout: 600,
        locked: false,
        accessLevel: 'ref_protected',
      });
      const before = repository.read('config/config.toml');
      const { code, output: text } = await repository.make('plan');
      expect(code).toBe(0);
      expect(text).toContain('concurrent\n  - 2\n  + 5');
      expect(text).toContain('"My Docker Runner" in GitLab: tag_list\n  - docker\n  + docker, linux');
      expect(text).toContain('"My Docker Runner" in GitLab: locked\n  - false\n  + true');
      expect(text).toContain(
        '"My Docker Runner" in GitLab: access_level\n  - ref_protected\n  + not_protected',
      );
      expect(text).toContain('"My Docker Runner" in GitLab: maximum_timeout\n  - 600\n  + 3600');
      expect(text).toContain('"My Docker Runner" in GitLab: paused\n  - true\n  + false');
      expect(repository.read('config/config.toml')).toBe(before);
      expect(known).toMatchObject({ tagList: ['docker'], paused: true });
      expectNoToken(text);
    });

    it('is named by make doctor', async () => {
      const { output: text } = await repository.make('doctor');
      expect(text).toMatch(
        /warning +GitLab settings +tag_list, locked, maximum_timeout of the runner: not as/,
      );
      expect(text).toContain('See: make plan');
      expect(text).toMatch(/FAILED +tags +the runner is paused in GitLab/);
      expect(text).toMatch(/warning +tags +the runner takes jobs of protected branches and tags only/);
    });

    it('is brought in line by make apply, in both', async () => {
      const { code, output: text } = await repository.make('apply');
      expect(code, text).toBe(0);
      expect(repository.config().concurrent).toBe(5);
      expect(known).toMatchObject({
        tagList: ['docker', 'linux'],
        paused: false,
        maximumTimeout: 3600,
        locked: true,
        accessLevel: 'not_protected',
      });
      expect((await repository.make('plan')).stdout).not.toContain('  + ');
      expectNoToken(text);
    });

    it('is left alone in GitLab, with the reason, where a token is missing or may not', async () => {
      const weak = gitlab.addAccessToken(['create_runner']);
      const refused = await repository.make('plan', { GITLAB_ACCESS_TOKEN: weak });
      expect([refused.code, refused.output]).toEqual([
        0,
        expect.stringContaining('lacks the scope manage_runner'),
      ]);
      const env = repository.read('.env');
      writeFileSync(
        join(repository.folder, '.env'),
        env.replace(/^GITLAB_ACCESS_TOKEN=.*$/m, 'GITLAB_ACCESS_TOKEN='),
      );
      const without = await repository.make('plan');
      expect([without.code, without.output]).toEqual([
        0,
        expect.stringContaining('GITLAB_ACCESS_TOKEN in .env'),
      ]);
      writeFileSync(join(repository.folder, '.env'), env);
    });

    it('says what GitLab has against a change, after config.toml was changed', async () => {
      repository.edit('scripts/settings.ts', 'maximumTimeout: 3600', 'maximumTimeout: 60');
      const { code, output: text } = await repository.make('apply');
      expect(code).not.toBe(0);
      expect(text).toMatch(
        /GitLab does not change "My Docker Runner" \(#\d+, HTTP 400\): .*at least 10 minutes/,
      );
      repository.edit('scripts/settings.ts', 'maximumTimeout: 60,', 'maximumTimeout: 3600,');
    });
  });

  describe('and its token', () => {
    it('gets a new one by make rotate, and keeps all else in config.toml', async () => {
      const old = known.token;
      const commented = `# by hand\n${repository.read('config/config.toml')}`;
      repository.write('config/config.toml', commented);
      known.tokenExpiresAt = new Date(Date.now() + 86_400_000 * 30).toISOString();
      const { code, output: text } = await repository.make('rotate');
      expect(code, text).toBe(0);
      expect(known.token).not.toBe(old);
      expect(tokenInFile()).toBe(known.token);
      const { token, token_obtained_at, token_expires_at, ...rest } = repository.config().runners[0];
      expect(Date.now() - token_obtained_at.getTime()).toBeLessThan(60_000);
      expect(token_expires_at.getTime()).toBe(Math.floor(Date.parse(known.tokenExpiresAt) / 1000) * 1000);
      const same = (text: string) =>
        text
          .split('\n')
          .filter(line => !/^\s*token/.test(line))
          .join('\n');
      expect(same(repository.read('config/config.toml'))).toBe(same(commented));
      expect(rest.docker.image).toBe('docker:stable');
      expect(statSync(join(repository.folder, 'config/config.toml')).mode & 0o777).toBe(0o600);
      expectNoToken(text);
      expect(text).not.toContain(old);
      expect((await repository.make('verify')).code).toBe(0);
    });

    it('is said by make status to be new, and when it expires', async () => {
      const { output: text } = await repository.make('status');
      expect(text).toMatch(/^ {2}token +accepted, 0 days old, expires in (29|30) days$/m);
      expect(text).toMatch(/^container +not there: make up {2}<- look at this$/m);
      expectNoToken(text);
    });

    it('keeps the old one where GitLab makes no new one', async () => {
      gitlab.failNext({ method: 'POST', path: /reset_authentication_token$/ }, 500);
      const before = repository.read('config/config.toml');
      const { code, output: text } = await repository.make('rotate');
      expect([code === 0, text]).toEqual([false, expect.stringContaining('HTTP 500')]);
      expect(repository.read('config/config.toml')).toBe(before);
    });

    it('takes the one from .env where GitLab knows the old one no more', async () => {
      gitlab.runners.delete(known.id);
      const refused = await repository.make('rotate');
      expect([refused.code === 0, refused.output]).toEqual([
        false,
        expect.stringMatching(/cannot be renewed[\s\S]*RUNNER_TOKEN, and run: make rotate/),
      ]);
      const fresh = gitlab.addRunner({ tagList: ['docker'] });
      const { code, output: text } = await repository.make('rotate', { RUNNER_TOKEN: fresh.token });
      expect(code, text).toBe(0);
      expect(text).not.toContain(fresh.token);
      expect(repository.config().runners).toMatchObject([{ id: fresh.id, token: fresh.token }]);
      expect(repository.read('config/config.toml')).toContain('# by hand');
      known = fresh;
    });

    it('refuses a token that GitLab does not know, and a name that no runner has', async () => {
      const before = repository.read('config/config.toml');
      const wrong = await repository.make('rotate', { RUNNER_TOKEN: 'glrt-nobody-knows-it' });
      expect([wrong.code === 0, wrong.output]).toEqual([
        false,
        expect.stringContaining('does not accept RUNNER_TOKEN'),
      ]);
      expect(wrong.output).not.toContain('glrt-nobody');
      const named = await repository.make('rotate RUNNER=other');
      expect(named.output).toContain('"other" names 0 runners.');
      expect(repository.read('config/config.toml')).toBe(before);
    });
  });
});

describe.skipIf(!able || !hasAge)('make backup and make restore', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  let keys: string;
  let recipient: string;
  let backup: string;

  const backups = () => readdirSync(join(repository.folder, 'backups'));

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    repository = await Repository.scaffold(modern!, ['--gitlab-url', url, '--backup'], 'backup-');
    keys = `${repository.folder}-key.txt`;
    await output(['age-keygen', '--output', keys], repository.at());
    recipient = (await output(['age-keygen', '-y', keys], repository.at())).trim();
    repository.writeEnv({ RUNNER_TOKEN: gitlab.addRunner({ tagList: ['docker'] }).token });
    // As a further runner has it.
    repository.write('config/template-deploy.toml', '# Theirs.\n');
    const { code, output: text } = await repository.make('register');
    expect(code, text).toBe(0);
  });

  afterAll(async () => {
    await run(['rm', '-f', keys], { cwd: '/', env: process.env });
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('says how to make a key where there is none', async () => {
    const { code, output: text } = await repository.make('backup');
    expect([code === 0, text]).toEqual([false, expect.stringMatching(/no public key[\s\S]*age-keygen -o/)]);
  });

  it('writes one encrypted file, which only its owner reads, and git does not see', async () => {
    const env = repository.read('.env').replace(/^AGE_RECIPIENT=.*$/m, `AGE_RECIPIENT=${recipient}`);
    writeFileSync(join(repository.folder, '.env'), env, { mode: 0o600 });
    const { code, output: text } = await repository.make('backup');
    expect(code, text).toBe(0);
    expect(backups()).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\d-\d{6}\.tar\.age$/)]);
    backup = `backups/${backups()[0]}`;
    expect(repository.read(backup)).toMatch(/^age-encryption\.org\/v1/);
    expect(repository.read(backup)).not.toContain('glrt-');
    await output(['git', 'add', '--all'], repository.at());
    expect(await output(['git', 'ls-files'], repository.at())).not.toContain('backups');
  });

  it('leaves no half backup behind where the key is none', async () => {
    const { code } = await repository.make('backup', { AGE_RECIPIENT: 'age1nonsense' });
    expect(code).not.toBe(0);
    expect(backups()).toHaveLength(1);
  });

  it('puts back config.toml and .env after they were lost, and keeps what is there now', async () => {
    const config = repository.read('config/config.toml');
    const env = repository.read('.env');
    repository.write('config/config.toml', 'concurrent = 1\n');
    await run(['rm', '.env'], repository.at());
    repository.edit('config/template.toml', 'What `register`', 'Mine. What `register`');
    repository.edit('config/template-deploy.toml', 'Theirs.', 'Mine.');
    const { code, output: text } = await repository.make(`restore FROM=${backup} KEY=${keys}`);
    expect(code, text).toBe(0);
    expect(repository.read('config/config.toml')).toBe(config);
    expect(repository.read('config/config.toml.before-restore')).toBe('concurrent = 1\n');
    expect(repository.read('config/template.toml')).toContain('Mine.');
    expect(repository.read('config/template-deploy.toml')).toBe('# Mine.\n');
    expect(repository.read('.env')).toBe(env);
    expect(statSync(join(repository.folder, '.env')).mode & 0o777).toBe(0o600);
    expect(statSync(join(repository.folder, 'config/config.toml')).mode & 0o777).toBe(0o600);
    expect((await repository.make('verify')).code).toBe(0);
  });

  it('changes nothing where the key is another, the file is none, or the key lies in this folder', async () => {
    const before = repository.read('config/config.toml');
    const other = `${keys}.other`;
    await output(['age-keygen', '--output', other], repository.at());
    repository.write('backups/nonsense', 'nonsense');
    await output(['cp', keys, join(repository.folder, 'key.txt')], repository.at());
    for (const words of [
      `FROM=${backup} KEY=${other}`,
      `FROM=backups/nonsense KEY=${keys}`,
      `FROM=${backup} KEY=key.txt`,
      `FROM=${backup}`,
    ]) {
      const { code, output: text } = await repository.make(`restore ${words}`);
      expect(code, words).not.toBe(0);
      expect(text, words).toMatch(/Nothing was restored|secret key/);
    }
    await run(['rm', '-f', other, join(repository.folder, 'key.txt')], repository.at());
    expect(repository.read('config/config.toml')).toBe(before);
    expect(readdirSync(join(repository.folder, 'config'))).not.toContain('.restore');
  });
});
