import { existsSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { GitLabServer, type RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { type EngineName, engine } from './support/engines.ts';
import { eventually, type Outcome, output, type Running, run, signalGroup } from './support/program.ts';
import { type Document, Repository } from './support/repository.ts';

const notCompared =
  'Not compared: what GitLab keeps of a runner, such as its tags. That takes a GITLAB_ACCESS_TOKEN in .env with the scope manage_runner.\n';
const inLine = `config/config.toml is as settings.ts and config/template.toml want it.\n${notCompared}`;

/** A repository whose runner is registered with a GitLab of its own. */
async function registered(name: EngineName) {
  const found = engine(name)!;
  const gitlab = await GitLabServer.start({ host: '0.0.0.0' });
  const url = gitlab.url.replace('127.0.0.1', found.hostAddress);
  const repository = await Repository.scaffold(found, ['--gitlab-url', url]);
  const known = gitlab.addRunner({ tagList: ['docker'] });
  repository.writeEnv({ RUNNER_TOKEN: known.token });
  await output(['make', 'register'], repository.at());
  return { gitlab, repository, known };
}

const configFiles = ({ folder }: Repository): string[] => readdirSync(join(folder, 'config')).sort();
const asRegistered = ['.runner_system_id', 'config.toml', 'template.toml'];

describe.each<EngineName>(['modern'])('make apply on the %s engine', name => {
  describe.skipIf(!needs(engine(name) !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
    'with a registered runner',
    () => {
      let gitlab: GitLabServer;
      let repository: Repository;
      let known: RunnerRecord;
      /** What each test starts with. */
      const pristine = new Map<string, string>();
      const outputs: string[] = [];

      const apply = async (words = '', env: NodeJS.ProcessEnv = {}): Promise<Outcome> => {
        const outcome = await repository.make(`apply ${words}`.trim(), env);
        outputs.push(outcome.output);
        return outcome;
      };

      /** Edits config.toml by hand, and what it is to be; gives its text now, and the one to come. */
      const change = (): { edited: string; wanted: string } => {
        repository.edit('scripts/settings.ts', "'docker:stable'", "'docker:cli'");
        repository.edit(
          'scripts/settings.ts',
          "docker.sock'],",
          "docker.sock', '/srv/cache:/srv/cache:ro'],",
        );
        repository.edit('scripts/settings.ts', 'concurrent = 2', 'concurrent = 4');
        const pull = '["always", "if-not-present"]';
        repository.edit(
          'config/template.toml',
          `pull_policy = ${pull}`,
          'pull_policy = "always"\n  cpus = "1.5"',
        );
        const sock = '/var/run/docker.sock:/var/run/docker.sock';
        const edit = (text: string, changes: readonly (readonly [string, string])[]) =>
          changes.reduce((so, [from, to]) => {
            expect(so).toContain(from);
            return so.replace(from, to);
          }, text);
        const edited = edit(pristine.get('config/config.toml')!, [
          ['concurrent = 2\n', '# by hand\nconcurrent = 2 # two, for now\nlog_level = "warn"\n'],
          [
            '  executor =',
            '  # image = "docker:none"\n  pre_build_script = """\n  image = true\n"""\n  executor =',
          ],
          ['    tls_verify', '    # the one at home\n    hostname = "job"\n    tls_verify'],
          [`["${sock}", "/cache"]`, `[\n      "${sock}", # of the host\n      "/cache",\n    ] # mounts`],
        ]);
        repository.write('config/config.toml', edited);
        const wanted = edit(edited, [
          ['concurrent = 2 #', 'concurrent = 4 #'],
          ['image = "docker:stable"', 'image = "docker:cli"'],
          [
            `[\n      "${sock}", # of the host\n      "/cache",\n    ] #`,
            `["${sock}", "/srv/cache:/srv/cache:ro", "/cache"] #`,
          ],
          [`pull_policy = ${pull}`, 'pull_policy = "always"'],
        ]);
        // What is new follows the last key of its table.
        const lines = wanted.trimEnd().split('\n');
        return { edited, wanted: `${[...lines, '    cpus = "1.5"'].join('\n')}\n` };
      };

      beforeAll(async () => {
        ({ gitlab, repository, known } = await registered(name));
        for (const path of ['scripts/settings.ts', 'config/template.toml', 'config/config.toml']) {
          pristine.set(path, repository.read(path));
        }
      });

      afterEach(() => {
        for (const [path, text] of pristine) repository.write(path, text);
      });

      afterAll(async () => {
        await repository?.dispose();
        await gitlab?.stop();
      });

      it('has nothing to do once the runner is registered', async () => {
        const { ino } = statSync(join(repository.folder, 'config/config.toml'));
        const { code, stdout } = await apply();
        expect([code, stdout]).toEqual([0, inLine]);
        expect(statSync(join(repository.folder, 'config/config.toml')).ino).toBe(ino);
      });

      it('changes what is to change, having shown it, and nothing else', async () => {
        const { edited, wanted } = change();
        const shown = await apply('ARGS=--dry-run');
        expect(shown.code).toBe(0);
        for (const [key, from, to] of [
          ['concurrent', '2', '4'],
          ['"My Docker Runner": image', '"docker:stable"', '"docker:cli"'],
          ['"My Docker Runner": pull_policy', '["always", "if-not-present"]', '"always"'],
          ['"My Docker Runner": cpus', '(not there)', '"1.5"'],
        ]) {
          expect(shown.stdout).toContain(`${key}\n  - ${from}\n  + ${to}\n`);
        }
        expect(shown.stdout).toMatch(/: volumes\n {2}- \[\n[^+]*"\/cache",\n {4}\]\n {2}\+ \[.*\]\n/);
        expect(shown.stdout.match(/^ {2}\+/gm)).toHaveLength(5);
        expect(repository.read('config/config.toml')).toBe(edited);
        expect(configFiles(repository)).toEqual(asRegistered);

        const { code, stdout } = await apply();
        expect([code, stdout]).toEqual([0, expect.stringMatching(/^Changed\. .*$/m)]);
        expect(stdout.replace(/^Changed\. .*\n/m, '')).toBe(shown.stdout);
        expect(repository.read('config/config.toml')).toBe(wanted);
        expect(repository.config().runners).toMatchObject([{ id: known.id, token: known.token }]);
        const { mode, uid } = statSync(join(repository.folder, 'config/config.toml'));
        expect([mode & 0o777, uid]).toEqual([0o600, 0]);
        expect(configFiles(repository)).toEqual(asRegistered);
        expect((await apply()).stdout).toBe(inLine);
        expect((await repository.make('validate')).code).toBe(0);
      });

      it('is read by the running runner, whose jobs go on', async () => {
        await repository.make('up');
        const logs = 'docker compose logs runner 2>/dev/null || docker-compose logs runner';
        const log = () => output(['sh', '-c', logs], repository.at());
        const job = gitlab.jobs.get(gitlab.queueJob({ seconds: 600 }))!;
        await eventually(() => expect(job.state).toBe('running'));
        expect(await log()).not.toContain('max_builds=4');
        change();
        expect((await apply()).code).toBe(0);
        await eventually(async () => {
          expect(await log()).toMatch(/Configuration loaded +builds=1 max_builds=4/);
        });
        const { length } = job.log;
        await eventually(() => expect(job.log.length).toBeGreaterThan(length));
        expect(job.state).toBe('running');
        // A job that GitLab does not know any more ends.
        gitlab.jobs.delete(job.id);
        await repository.make('down');
      });

      it('is of use on a host without a Node that runs TypeScript', async () => {
        const { wanted } = change();
        const { code, output } = await apply('', { PATH: engine(name)!.env.PATH });
        expect([code, output]).toEqual([0, expect.stringContaining('in a container')]);
        expect(repository.read('config/config.toml')).toBe(wanted);
      });

      it('says to register where no runner is registered', async () => {
        const file = join(repository.folder, 'config/config.toml');
        repository.write('config/config.toml', 'concurrent = 2\n');
        const emptied = await apply();
        renameSync(file, `${file}.before`);
        const missing = await apply();
        renameSync(`${file}.before`, file);
        for (const { code, stderr } of [emptied, missing]) {
          expect([code === 0, stderr]).toEqual([
            false,
            expect.stringContaining('No runner is registered yet.\n  Run: make register'),
          ]);
        }
      });

      // The scripts are the same, whatever engine and Compose they talk to.
      if (name === 'modern')
        describe('when something comes in between', () => {
          /** The steps of `make apply`, seen from outside; each is over some tenths of a second before the next. */
          const steps = {
            'it has read config.toml': (running: Running) => running.shows(/\+ "docker:cli"/),
            'it has made a copy': () =>
              eventually(
                () => expect(existsSync(join(repository.folder, 'config/.register.before'))).toBe(true),
                30,
                5,
              ),
          };
          const all = Object.keys(steps) as (keyof typeof steps)[];

          /** Runs it up to that step, and does something there. */
          const runTo = async (
            step: keyof typeof steps,
            then: (running: Running) => void,
          ): Promise<Outcome> => {
            const running = repository.startMake('apply');
            await steps[step](running);
            then(running);
            const outcome = await running.ended;
            outputs.push(outcome.output);
            return outcome;
          };

          it.each(all)('leaves config.toml to whom changes it when %s', async step => {
            const { edited } = change();
            const theirs = `# changed meanwhile\n${edited}`;
            const outcome = await runTo(step, () => repository.write('config/config.toml', theirs));
            expect([outcome.code === 0, outcome.stderr]).toEqual([
              false,
              expect.stringMatching(/left as it is: it was changed meanwhile.*\n {2}Run: make apply/),
            ]);
            expect(repository.read('config/config.toml')).toBe(theirs);
            expect(configFiles(repository)).toEqual(asRegistered);
          });

          it.each(
            all.flatMap(step => (['SIGINT', 'SIGTERM'] as const).map(signal => [signal, step] as const)),
          )('leaves config.toml as it was at a %s when %s', async (signal, step) => {
            const { edited } = change();
            const outcome = await runTo(step, running => signalGroup(running, signal));
            expect([outcome.code === 0, outcome.output]).toEqual([
              false,
              expect.not.stringContaining('Changed.'),
            ]);
            expect(repository.read('config/config.toml')).toBe(edited);
            expect(configFiles(repository)).toEqual(asRegistered);
          });

          it.each(all)(
            'leaves config.toml as it was where it is killed when %s, and can be run again',
            async step => {
              const { edited, wanted } = change();
              const containers = ['ps', '--quiet', '--filter', `volume=${join(repository.folder, 'config')}`];
              await runTo(step, running => signalGroup(running, 'SIGKILL'));
              await eventually(async () => expect(await repository.docker(...containers)).toBe(''));
              expect(repository.read('config/config.toml')).toBe(edited);
              expect((await apply()).code).toBe(0);
              expect(repository.read('config/config.toml')).toBe(wanted);
              expect(configFiles(repository)).toEqual(asRegistered);
            },
          );
        });

      it('has shown no token in all of this', () => {
        expect(outputs.length).toBeGreaterThan(5);
        expect(outputs.filter(text => text.includes(known.token))).toEqual([]);
      });
    },
  );
});

describe.skipIf(!needs(engine('modern') !== undefined, 'a Docker Engine (E2E_ENGINES)'))(
  'a repository whose owner chooses another way to build images',
  () => {
    let gitlab: GitLabServer;
    let repository: Repository;
    let known: RunnerRecord;
    let before: string;

    /** Runs the generator again, as the user does in the repository's folder. */
    const choose = async (...words: string[]): Promise<string> => {
      const { folder, engine } = repository;
      const { code, output } = await run([inject('command'), ...words, '--force'], {
        cwd: folder,
        env: engine.env,
      });
      expect(code, output).toBe(0);
      return output;
    };

    const findings = async () => {
      const { code, stdout } = await repository.make('doctor ARGS=--json');
      const found = JSON.parse(stdout.slice(stdout.indexOf('{'))).findings as Record<string, string>[];
      return { code, config: found.filter(({ check }) => check === 'config.toml') };
    };

    beforeAll(async () => {
      ({ gitlab, repository, known } = await registered('modern'));
      before = repository.read('config/config.toml');
    });

    afterAll(async () => {
      await repository?.dispose();
      await gitlab?.stop();
    });

    it('is told what to do next, and its config.toml stays as it is', async () => {
      const said = await choose('--builder', 'dind', '--dind-cache', 'registry');
      expect(said).toMatch(/^ {2}make apply +#/m);
      // docker-compose.yml is the same for both.
      expect(said).not.toMatch(/^ {2}make up +#/m);
      expect(said).toMatch(/^ {2}git rm scripts\/socket\.ts +# not used any more$/m);
      expect(repository.read('config/config.toml')).toBe(before);
    });

    it('is told by make doctor too, as long as config.toml is that of before', async () => {
      const { code, config } = await findings();
      expect(code).not.toBe(0);
      const keys = ['allowed_privileged_services', 'services_privileged', 'image', 'volumes'];
      expect(config.map(({ detail }) => detail?.split(' ')[0]).sort()).toEqual(keys.sort());
      for (const { verdict, remedy } of config) {
        expect([verdict, remedy]).toEqual(['failed', expect.stringContaining('make apply')]);
      }
    });

    it('has its runner changed by make apply, without registering anew', async () => {
      gitlab.requests.length = 0;
      const { code, output } = await repository.make('apply');
      expect([code, output]).toEqual([0, expect.stringContaining('Changed.')]);
      expect(gitlab.requests).toEqual([]);
      const [runner] = repository.config().runners;
      expect(runner).toMatchObject({ id: known.id, token: known.token });
      expect(runner.docker).toMatchObject({
        image: 'docker:29.10.0-cli',
        privileged: false,
        services_privileged: true,
        allowed_privileged_services: ['docker:29.10.0-dind'],
        volumes: ['/certs/client', '/cache'],
        pull_policy: ['always', 'if-not-present'],
      });
      expect((await repository.make('validate')).code).toBe(0);
      const { config } = await findings();
      expect(config).toMatchObject([{ verdict: 'ok' }]);
    });

    it.each([
      [
        'buildkit',
        {
          image: 'docker:29.10.0-cli',
          volumes: [expect.stringMatching(/-client-certs:\/certs\/client:ro$/), '/cache'],
          network_mode: expect.stringMatching(/-jobs$/),
        },
      ],
      [
        'buildah',
        {
          image: 'quay.io/buildah/stable:latest',
          volumes: ['/cache'],
          security_opt: ['seccomp=unconfined', 'apparmor=unconfined'],
        },
      ],
    ])('goes on to %s, and leaves nothing of the way before', async (builder, docker) => {
      const said = await choose('--builder', builder);
      expect(said).toMatch(/^ {2}make up +#.*\n {2}make apply +#/m);
      expect((await repository.make('apply')).code).toBe(0);
      const [{ docker: first }] = (parse(before) as Document).runners;
      expect(repository.config().runners[0].docker).toEqual({ ...first, ...docker });
    });

    it('has its config.toml again as it was, where it goes back', async () => {
      const said = await choose('--builder', 'socket');
      expect(said).toMatch(/^ {2}git rm scripts\/buildah\.ts +# not used any more$/m);
      expect((await repository.make('apply')).code).toBe(0);
      expect(repository.read('config/config.toml')).toBe(before);
      await repository.make('up');
      const { code, config } = await findings();
      expect([code, config]).toMatchObject([0, [{ verdict: 'ok' }]]);
    });
  },
);
