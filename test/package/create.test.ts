import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { questions } from '../../generators/ask/questions.ts';
import { needs } from '../support/needs.ts';
import { openRegistry, type Registry } from '../support/registry.ts';
import { hasTerminals } from '../support/terminal.ts';
import { Dialogue } from './support/terminal.ts';
import { asNormalUser } from './support/users.ts';
import { own, type Way, Workplace } from './support/workplace.ts';

const { tarball, createTarball } = inject('package');

/** `npm create`, as a normal user with an empty cache, from a registry that has our two packages alone. */
const npmCreate: Way = {
  ...own,
  name: 'npm create',
  command: asNormalUser(['npm', 'create', '--yes', 'gitlab-runner-docker']),
};

async function workplaceWithRegistry(): Promise<{ workplace: Workplace; registry: Registry; cache: string }> {
  const registry = await openRegistry([tarball, createTarball]);
  onTestFinished(registry.close);
  const workplace = new Workplace(npmCreate);
  const cache = join(dirname(workplace.folder), 'home/cache');
  Object.assign(workplace.environment, {
    npm_config_registry: registry.url,
    npm_config_cache: cache,
    // npm would ask for its own latest version, and for advisories.
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
  });
  return { workplace, registry, cache };
}

describe('npm create gitlab-runner-docker', () => {
  test('writes what the own command writes, with the options behind two dashes', async () => {
    const { workplace } = await workplaceWithRegistry();
    const { code, stderr } = await workplace.run(npmCreate, 'runner', '--', '--builder', 'buildah');
    expect(code, stderr).toBe(0);
    const other = new Workplace(own);
    await other.run(own, 'runner', '--builder', 'buildah');
    expect(workplace.texts()).toEqual(other.texts());
    expect(stderr).toMatch(/\nNext:\n {2}cd runner\n/);
  });

  test('installs two packages, and asks the registry for nothing else', async () => {
    const { workplace, registry, cache } = await workplaceWithRegistry();
    expect((await workplace.run(npmCreate, 'runner')).code).toBe(0);
    const [run = ''] = readdirSync(join(cache, '_npx'));
    const installed = readdirSync(join(cache, '_npx', run, 'node_modules'));
    const names = ['create-gitlab-runner-docker', 'generator-gitlab-runner-docker'];
    expect(installed.filter(name => !name.startsWith('.')).sort()).toEqual(names);
    const asked = registry.requests.map(path => path.replace(/^\/-\/|-[\d.]+\.tgz$|^\//g, ''));
    expect(new Set(asked)).toEqual(new Set(names));
  });

  test.each([
    ['npm create gitlab-runner-docker', ['npm', 'create', '--yes', 'gitlab-runner-docker', '--']],
    ['npx generator-gitlab-runner-docker', ['npx', '--yes', 'generator-gitlab-runner-docker']],
  ])('names in what it says the command that was called: %s', async (command, words) => {
    const { workplace } = await workplaceWithRegistry();
    const called = { ...npmCreate, command: asNormalUser(words) };
    const { code, stderr } = await workplace.run(called, '--runner', 'deploy');
    expect(stderr).toContain(`or write one first: ${command} my-runner\n`);
    expect(code).toBe(1);
  });

  test('ends with the exit code and the sentence of a refusal', async () => {
    const { workplace } = await workplaceWithRegistry();
    const { code, stderr } = await workplace.run(npmCreate, 'runner', '--', '--concurrent', '0');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^generator-gitlab-runner-docker: --concurrent: .* whole number from 1/m);
    expect(workplace.paths()).toEqual([]);
  });

  test.skipIf(!needs(hasTerminals(), 'tmux'))('asks in a terminal, and can be left by Ctrl-C', async () => {
    const { workplace } = await workplaceWithRegistry();
    const terminal = new Dialogue(workplace, npmCreate, 'runner');
    await terminal.answer(questions.gitlabUrl.message);
    await terminal.chooses(questions.builder.message, questions.builder.default);
    terminal.press('C-c');
    expect(await terminal.exitCode()).toBeGreaterThan(0);
    expect(workplace.paths()).toEqual([]);
  });
});

test('the tarball of npm create holds its few lines, and asks for the generator of the same version', () => {
  const tar = (...words: string[]) => execFileSync('tar', words, { encoding: 'utf8' });
  expect(tar('-tzf', createTarball).trimEnd().split('\n').sort()).toEqual(
    ['LICENSE', 'README.md', 'index.js', 'package.json'].map(name => `package/${name}`),
  );
  const manifest = (path: string) => JSON.parse(tar('-xzOf', path, 'package/package.json'));
  const [{ version, dependencies }, generator] = [manifest(createTarball), manifest(tarball)];
  expect(version).toBe(generator.version);
  expect(dependencies).toEqual({ [generator.name]: generator.version });
});
