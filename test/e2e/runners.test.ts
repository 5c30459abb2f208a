import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { GitLabServer, type RunnerRecord } from '../support/gitlab-server.ts';
import { needs } from '../support/needs.ts';
import { engine } from './support/engines.ts';
import { eventually, output, run } from './support/program.ts';
import { Repository } from './support/repository.ts';
import { hasImages, imagesLoaded } from './support/surroundings.ts';

const modern = engine('modern');
const able =
  needs(modern !== undefined, 'a Docker Engine (E2E_ENGINES)') &&
  needs(await hasImages(modern), 'the images of .ci/images');

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The first has the socket of the host; the other, called deploy, builds through the proxy. */
describe.skipIf(!able)('two runners in one container', () => {
  let gitlab: GitLabServer;
  let repository: Repository;
  let first: RunnerRecord;
  let deploy: RunnerRecord;
  /** The [[runners]] of config.toml as text, in their order. */
  const entries = () => repository.read('config/config.toml').split('[[runners]]').slice(1);
  const succeed = async (words: string): Promise<string> => {
    const { code, output: text } = await repository.make(words);
    expect(code, text).toBe(0);
    return text;
  };
  const named = (description: string) =>
    [...gitlab.runners.values()].find(one => one.description === description)!;

  beforeAll(imagesLoaded, 900_000);

  beforeAll(async () => {
    gitlab = await GitLabServer.start({ host: '0.0.0.0' });
    const url = gitlab.url.replace('127.0.0.1', modern!.hostAddress);
    const options = ['--gitlab-url', url, '--concurrent', '1', '--clean-up', 'none'];
    repository = await Repository.scaffold(modern!, options, 'runners-');
    const project = gitlab.addProject('team/app');
    gitlab.addProject('team/other');
    repository.writeEnv({
      GITLAB_ACCESS_TOKEN: gitlab.addAccessToken(['create_runner', 'manage_runner', 'read_api']),
      GITLAB_PROJECT_ID: String(project),
    });
    await succeed('register');
    await succeed('up');
    first = named('My Docker Runner');
    const added = ['--runner', 'deploy', '--builder', 'socket-proxy', '--project', 'team/other', '--force'];
    await output([inject('command'), ...added], repository.at());
  });

  afterAll(async () => {
    await repository?.dispose();
    await gitlab?.stop();
  });

  it('the second is registered by its name, for its own project, and leaves the first as it was', async () => {
    const [before] = entries();
    expect(await succeed('doctor')).toContain(`"deploy" is not registered yet.`);
    expect(await succeed('register RUNNER=deploy')).toMatch(/Registered "deploy" \(#\d+\)/);
    deploy = named('deploy');
    const [now, added] = entries();
    expect(now?.trimEnd()).toBe(before?.trimEnd());
    expect(added).toContain('name = "deploy"');
    const [, second] = repository.config().runners;
    expect(second).toMatchObject({
      token: deploy.token,
      docker: { network_mode: expect.stringMatching(/-jobs$/), volumes: ['/cache'] },
    });
    expect(deploy.tagList).toEqual(['deploy']);
    const asked = gitlab.requests.filter(({ path }) => path.endsWith('/user/runners'));
    const [forFirst, forSecond] = asked.map(({ body }) => (body as { project_id: number }).project_id);
    expect(forSecond).not.toBe(forFirst);
  });

  it('both run jobs of their own, and never more at a time than "concurrent" says', async () => {
    await succeed('up');
    const ids = [first, deploy, first, deploy].map(({ id }) => gitlab.queueJob({ runnerId: id, seconds: 2 }));
    const states = () => ids.map(id => gitlab.jobs.get(id)!.state);
    let most = 0;
    await eventually(
      () => {
        most = Math.max(most, states().filter(state => state === 'running').length);
        expect(states()).toEqual(['success', 'success', 'success', 'success']);
      },
      60,
      50,
    );
    expect(most).toBe(1);
  });

  it('make doctor and make status look at both, and say which is which', async () => {
    const { code, stdout } = await repository.make('doctor');
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/ok +docker client +"My Docker Runner": docker:stable speaks/);
    expect(stdout).toMatch(/ok +docker client +"deploy": docker:stable speaks .* through the proxy/);
    expect(stdout).toMatch(/ok +tags +"My Docker Runner" has what \.gitlab-ci\.yml asks for \(docker\)/);
    expect(stdout).toMatch(
      /ok +tags +"deploy" has what example\/deploy\.gitlab-ci\.yml asks for \(deploy\), says GitLab/,
    );
    expect(stdout).toMatch(/ok +config\.toml +2 runners/);
    expect((await repository.make('status')).stdout).toMatch(
      /"My Docker Runner" \(#\d+\)[\s\S]*"deploy" \(#\d+\)/,
    );
  });

  it('make plan and make apply compare each with its own settings, here and in GitLab', async () => {
    expect(await succeed('plan')).toMatch(/"My Docker Runner" \(#\d+\) as .*\n.*"deploy" \(#\d+\) as/);
    repository.edit('scripts/settings.ts', "tags: ['deploy']", "tags: ['deploy', 'linux']");
    repository.edit('config/template-deploy.toml', 'oom_score_adjust = 500', 'oom_score_adjust = 600');
    const [before] = entries();
    const text = await succeed('apply');
    expect(text).toContain('"deploy": oom_score_adjust\n  - 500\n  + 600');
    expect(text).toContain('"deploy" in GitLab: tag_list\n  - deploy\n  + deploy, linux');
    expect(text).not.toContain('"My Docker Runner": ');
    expect(entries()[0]).toBe(before);
    expect([named('My Docker Runner').tagList, named('deploy').tagList]).toEqual([
      ['docker'],
      ['deploy', 'linux'],
    ]);
  });

  it('make rotate gives one of them a new token', async () => {
    const { code, output: text } = await repository.make('rotate');
    expect(code).not.toBe(0);
    expect(text).toContain('There are several runners in config.toml.');
    const [before] = entries();
    const old = deploy.token;
    await succeed('rotate RUNNER=deploy');
    expect(named('deploy').token).not.toBe(old);
    expect(repository.config().runners[1].token).toBe(named('deploy').token);
    expect(entries()[0]).toBe(before);
  });

  it('a token of one is not taken for the other, as after a "make rotate" that was killed', async () => {
    const before = repository.read('config/config.toml');
    const renewed = `${first.token}x`;
    first.token = renewed;
    const env = { RUNNER_TOKEN: renewed };
    for (const words of ['rotate RUNNER=deploy', 'register RUNNER=deploy ARGS=--force']) {
      const { code, output: text } = await repository.make(words, env);
      expect(code).not.toBe(0);
      expect(text).toMatch(/RUNNER_TOKEN is a token of "My Docker Runner" \(#\d+\)/);
      expect(text).toContain("make rotate RUNNER='My Docker Runner'");
      expect(text).not.toContain(renewed);
    }
    expect(repository.read('config/config.toml')).toBe(before);
    // As the message says; words of make have no spaces here.
    const { code } = await run(['make', 'rotate', 'RUNNER=My Docker Runner'], repository.at(env));
    expect(code).toBe(0);
    expect(repository.config().runners[0].token).toBe(renewed);
  });

  it('is said where it is registered already, and where there is none of that name', async () => {
    const before = repository.read('config/config.toml');
    expect(await succeed('register RUNNER=deploy')).toMatch(/^"deploy" \(#\d+\) is registered/m);
    // A name is one word, whatever is in it.
    for (const name of ['nobody', "it's", '"x"', ';false']) {
      const { code, output: text } = await repository.make(`register RUNNER=${name}`);
      expect(code).not.toBe(0);
      expect(text).toContain(`describes no runner "${name}"`);
      expect(text).toContain('Name one of "My Docker Runner", "deploy"');
    }
    expect(repository.read('config/config.toml')).toBe(before);
  });

  it('make unregister takes the one that is named, and without a name all', async () => {
    const refused = await repository.make('unregister RUNNER=nobody YES=1');
    expect(refused.code, refused.output).not.toBe(0);
    expect(repository.config().runners).toHaveLength(2);
    expect(await succeed('unregister RUNNER=deploy YES=1')).toContain('Unregistered.');
    expect(repository.config().runners.map(({ name }: { name: string }) => name)).toEqual([
      'My Docker Runner',
    ]);
    await succeed('unregister YES=1');
    expect(repository.config().runners ?? []).toEqual([]);
  });
});
