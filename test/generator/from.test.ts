import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { describe, expect, it, vi } from 'vitest';
import { nameOfChanges, nameOfRest } from '../../generators/ask/prompts.ts';
import { newFolder, runGenerator, textsBelow } from '../support/run-generator.ts';
import { runnerToken as token } from '../support/tokens.ts';

const config = `concurrent = 3
[[runners]]
  name = "an old one"
  url = "https://gitlab.example.com"
  token = "${token}"
  executor = "docker"
  limit = 2
  [runners.docker]
    image = "ruby:3.1"
    volumes = ["/var/run/docker.sock:/var/run/docker.sock"]
    cpu_shares = 512
`;

/** A folder with an older runner in `old`. */
function folderWith(files: Readonly<Record<string, string>> = { 'config.toml': config }): string {
  const folder = newFolder();
  mkdirSync(join(folder, 'old'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'old', name), text);
  return folder;
}

const read = (folder: string, path: string) => readFileSync(join(folder, 'new', path), 'utf8');
const configIn = (folder: string) => parse(read(folder, 'config/config.toml')) as Record<string, unknown>;

describe('--from', () => {
  it('writes the repository of an older runner, its token into .env alone, and says what was done', async () => {
    const folder = folderWith();
    const { refusal, printed } = await runGenerator(folder, { args: ['new'], options: { from: 'old' } });
    expect(refusal).toBeUndefined();
    expect(statSync(join(folder, 'new/.env')).mode & 0o777).toBe(0o600);
    expect(read(folder, '.env')).toContain(`\nRUNNER_TOKEN=${token}\n`);
    const { 'new/.env': _, 'old/config.toml': old, ...others } = textsBelow(folder);
    expect(old).toBe(config);
    expect(JSON.stringify(others) + printed).not.toContain(token);
    expect(configIn(folder)).toMatchObject({
      concurrent: 3,
      runners: [{ limit: 2, docker: { cpu_shares: 512 } }],
    });
    expect(printed).toContain(
      'Taken over from old: 1 [[runners]], 1 with a token, which goes to .env (0600).',
    );
    expect(printed).not.toContain('make register\n');
  });

  it('says what goes and what comes along before it asks, and writes nothing at a no', async () => {
    const folder = folderWith({ 'config.toml': config.replace('cpu_shares = 512', 'privileged = true') });
    const before = textsBelow(folder);
    const { refusal, printed } = await runGenerator(folder, {
      args: ['new'],
      options: { from: 'old', terminal: true },
      answers: { [nameOfRest]: 'last', write: false },
    });
    expect(refusal).toBe('Nothing was written.');
    expect(printed).toMatch(/Taken over from old[\s\S]*Nothing is taken from jobs, as before/);
    expect(textsBelow(folder)).toEqual(before);
  });

  it('takes answers of options before those of the older runner', async () => {
    const folder = folderWith();
    await runGenerator(folder, {
      args: ['new'],
      options: { from: 'old', concurrent: '7', builder: 'buildkit' },
    });
    expect(configIn(folder)).toMatchObject({ concurrent: 7 });
    expect(read(folder, 'config/config.toml')).not.toContain('docker.sock');
  });

  it('takes a repository of version 0.1.0 with all that it has, and a second run changes nothing', async () => {
    const folder = newFolder();
    cpSync(new URL('../facts/version-0.1.0', import.meta.url), join(folder, 'old'), { recursive: true });
    const template = readFileSync(join(folder, 'old/config/template.toml'), 'utf8');
    const identity = `[[runners]]\n  name = "My Docker Runner"\n  url = "https://gitlab.example.com"\n  token = "${token}"\n  executor = "docker"`;
    writeFileSync(
      join(folder, 'old/config/config.toml'),
      `concurrent = 3\n${template.replace(/^\[\[runners\]\]$/m, identity)}`,
    );
    writeFileSync(join(folder, 'old/.env'), `GITLAB_PROJECT_ID=77\nRUNNER_TOKEN=\nMINE='it is'\n`);
    const before = textsBelow(join(folder, 'old'));
    const { refusal, printed } = await runGenerator(folder, { args: ['new'], options: { from: 'old' } });
    expect(refusal).toBeUndefined();
    expect(printed).toContain('1 [[runners]], 1 with a token');
    expect(printed.split('no place:\n')[1]).toMatch(/^ {2}- MINE of .env\n"make up" starts it\./);
    expect(read(folder, '.env')).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(read(folder, '.env')).toContain('\nGITLAB_PROJECT_ID=77\n');
    expect(configIn(folder)).toMatchObject({
      concurrent: 3,
      runners: [
        { docker: { services_privileged: true }, cache: { s3: { ServerAddress: 's3.example.com' } } },
      ],
    });
    expect(textsBelow(join(folder, 'old'))).toEqual(before);
    const now = textsBelow(join(folder, 'new'));
    expect((await runGenerator(folder, { args: ['new'] })).refusal).toBeUndefined();
    expect(textsBelow(join(folder, 'new'))).toEqual(now);
  });

  it('offers its answers as defaults in a terminal', async () => {
    const folder = folderWith();
    const { refusal } = await runGenerator(folder, {
      args: ['new'],
      options: { from: 'old', terminal: true },
      answers: { [nameOfRest]: 'change', [nameOfChanges]: ['runner'], tags: 'a,b' },
    });
    expect(refusal).toBeUndefined();
    const { description, tags } = JSON.parse(read(folder, '.yo-rc.json'))['generator-gitlab-runner-docker'];
    expect({ description, tags }).toEqual({ description: 'an old one', tags: 'a,b' });
  });

  it.each(['buildkit', 'dind'])(
    'goes together with another builder afterwards, and with the first one again: %s',
    async builder => {
      const lists =
        'volumes = ["/var/run/docker.sock:/var/run/docker.sock", "/srv/npm:/npm"]\n    dns = ["10.0.0.1"]';
      const folder = folderWith({
        'config.toml': config.replace('ruby:3.1', 'docker:24').replace(/volumes = .*/, lists),
      });
      const run = (options: Record<string, string>) => runGenerator(folder, { args: ['new'], options });
      await run({ from: 'old' });
      const before = read(folder, 'config/config.toml');
      for (const options of [{ builder }, { hardening: 'strict' }]) {
        expect((await run(options)).refusal).toBeUndefined();
        const [{ docker }] = configIn(folder).runners as [{ docker: Record<string, unknown> }];
        expect(docker).toMatchObject({ cpu_shares: 512, dns: ['10.0.0.1'] });
        expect(docker.volumes).toContain('/srv/npm:/npm');
        expect(docker.volumes).not.toContain('/var/run/docker.sock:/var/run/docker.sock');
      }
      expect((await run({ builder: 'socket', hardening: 'relaxed' })).refusal).toBeUndefined();
      expect(configIn(folder)).toEqual(parse(before));
    },
  );

  it('is kept by later runs, as what the owner edited is', async () => {
    const folder = folderWith();
    await runGenerator(folder, { args: ['new'], options: { from: 'old' } });
    const before = textsBelow(folder);
    expect((await runGenerator(folder, { args: ['new'] })).refusal).toBeUndefined();
    expect(textsBelow(folder)).toEqual(before);
    expect(
      (await runGenerator(folder, { args: ['new'], options: { concurrent: '9' } })).refusal,
    ).toBeUndefined();
    expect(configIn(folder)).toMatchObject({
      concurrent: 9,
      runners: [{ limit: 2, docker: { image: 'ruby:3.1' } }],
    });
    expect(read(folder, '.env')).toContain(token);
  });

  it('shows in a dry run what it would write, and never the token', async () => {
    const folder = folderWith();
    const before = textsBelow(folder);
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const options = { from: 'old', 'dry-run': true };
    const { refusal, printed } = await runGenerator(folder, { args: ['new'], options });
    const shown = log.mock.calls.flat().join('\n');
    log.mockRestore();
    expect(refusal).toBeUndefined();
    expect(shown).toContain('+    cpu_shares = 512');
    expect(shown).toContain('Taken over from old');
    expect(shown + printed).not.toContain(token);
    expect(textsBelow(folder)).toEqual(before);
  });

  it('writes nothing over a repository, or over a .env', async () => {
    const folder = folderWith();
    await runGenerator(folder, { args: ['new'] });
    const before = textsBelow(folder);
    const again = await runGenerator(folder, { args: ['new'], options: { from: 'old', force: true } });
    expect(again.refusal).toContain('There is a repository in');
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other/.env'), 'MINE=1\n');
    const beside = await runGenerator(folder, { args: ['other'], options: { from: 'old' } });
    expect(beside.refusal).toContain('There is a .env in');
    expect(textsBelow(folder)).toEqual({ ...before, 'other/.env': 'MINE=1\n' });
  });

  it.each([
    ['a path where nothing is', { from: 'gone' }, 'There is no '],
    ['an empty text', { from: ' ' }, '--from: it needs the path of a file or a folder.'],
  ])('refuses %s', async (_, options, sentence) => {
    const folder = folderWith();
    const { refusal } = await runGenerator(folder, { args: ['new'], options });
    expect(refusal).toContain(sentence);
    expect(Object.keys(textsBelow(folder))).toEqual(['old/config.toml']);
  });
});
