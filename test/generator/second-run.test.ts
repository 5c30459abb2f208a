import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import GitLabRunnerDockerRunner from '../../generators/runner/index.ts';
import { blobId } from '../../generators/write/git.ts';
import { needs } from '../support/needs.ts';
import { isInstalled } from '../support/rendered.ts';
import { newFolder, type Run, runGenerator, textsBelow } from '../support/run-generator.ts';

const hasGit = needs(isInstalled('git', '--version'), 'git');
const hasPatch = needs(isInstalled('patch', '--version'), 'patch');
const store = '.yo-rc.json';
const section = 'generator-gitlab-runner-docker';
let folder: string;
const text = (path: string): string => readFileSync(join(folder, path), 'utf8');
const put = (path: string, content: string): void => writeFileSync(join(folder, path), content);
const edit = (path: string, from: string | RegExp, to: string): void => {
  expect(text(path)).toMatch(from);
  put(path, text(path).replace(from, to));
};
const saved = () => JSON.parse(text(store))[section];
const save = (answers: unknown): void => put(store, JSON.stringify({ [section]: answers }));

/** Runs the generator and expects that it refuses, and writes nothing. */
async function refused(options: Record<string, unknown> = {}): Promise<string> {
  const before = textsBelow(folder);
  const { refusal } = await runGenerator(folder, { options });
  expect(textsBelow(folder)).toEqual(before);
  return refusal ?? 'not refused';
}

beforeEach(async () => {
  folder = newFolder();
  mkdirSync(join(folder, '.git'));
  await runGenerator(folder, { options: { tags: 'old' } });
});

describe('a second run', () => {
  it('with the same answers touches no file, and leaves permissions as the user set them', async () => {
    chmodSync(join(folder, 'scripts/run'), 0o700);
    const times = () => Object.keys(textsBelow(folder)).map(path => statSync(join(folder, path)).mtimeMs);
    const before = times();
    const { printed } = await runGenerator(folder);
    expect(printed.replace(/ +#.*/g, '')).toBe(
      `Nothing changes in ${folder}.\n\nNext:\n  make doctor\n  make register\n\n\n  make up`,
    );
    expect(times()).toEqual(before);
    await runGenerator(folder, { options: { platforms: 'linux/arm64', 'docker-image': 'docker:cli' } });
    expect(statSync(join(folder, 'scripts/run')).mode & 0o777).toBe(0o700);
  });

  it('brings together what the owner changed and what the new answers change', async () => {
    edit('config/config.toml', 'oom_score_adjust = 500', 'oom_score_adjust = 700');
    edit('README.md', /$/, '\nOurs.\n');
    const { refusal, printed } = await runGenerator(folder, { options: { concurrent: '9' } });
    expect(refusal).toBeUndefined();
    expect(printed).toContain('merge config/config.toml: your changes and the new ones');
    expect(text('config/config.toml')).toMatch(/concurrent = 9\n[\s\S]*oom_score_adjust = 700/);
    expect(text('README.md')).toMatch(/Ours\.\n$/);
    expect(saved().concurrent).toBe('9');
  });

  it('brings together services and jobs that the owner appended and those of other answers', async () => {
    edit('docker-compose.yml', /$/, '\n  mine:\n    image: nginx\n');
    edit('.gitlab-ci.yml', /$/, '\nmine:\n  script: [make test]\n');
    const options = { builder: 'buildkit', monitoring: true, cache: 's3' };
    expect((await runGenerator(folder, { options })).refusal).toBeUndefined();
    const { services, networks } = parse(text('docker-compose.yml'));
    expect(Object.keys(services)).toEqual(
      expect.arrayContaining(['runner', 'mine', 'buildkit', 'prometheus']),
    );
    expect(services.mine).toEqual({ image: 'nginx' });
    expect(networks).toHaveProperty('jobs');
    expect(parse(text('.gitlab-ci.yml')).mine).toEqual({ script: ['make test'] });
  });

  it('says what a builder lets people do where it is new, and not at each run that changes something', async () => {
    const risk = /^With the builder (\w+), whoever can push can .*\.$/gm;
    const builders = async (run: Run) =>
      [...(await runGenerator(folder, run)).printed.matchAll(risk)].map(([, builder]) => builder);
    expect(await builders({ options: { tags: 'new' } })).toEqual([]);
    expect(await builders({ options: { builder: 'buildkit' } })).toEqual(['buildkit']);
    const further = { generator: GitLabRunnerDockerRunner, args: ['deploy'] };
    expect(await builders({ ...further, options: { tags: 'deploy' } })).toEqual([]);
    expect(await builders({ ...further, options: { builder: 'dind' } })).toEqual(['dind']);
  });

  it('says what goes on running, and how to stop it, before the question whether to write, and after it', async () => {
    const options = { executor: 'kubernetes', builder: 'buildkit' };
    const { printed } = await runGenerator(folder, { options });
    const [shown, next] = printed.split('Changed since the last time:');
    const command = /docker compose --project-name \S+ down/;
    expect(shown).toMatch(command);
    expect(next).toMatch(command);
    expect(next).not.toContain('--remove-orphans');
    const moved = await runGenerator(folder, { options: { namespace: 'ci' } });
    expect(moved.printed.match(/helm uninstall \S+ --wait --namespace gitlab-runner\b/g)).toHaveLength(2);
    expect((await runGenerator(folder, { options: { tags: 'x' } })).printed).not.toContain('helm uninstall');
  });

  it('names each command once, whether the runner was up before or not', async () => {
    const commands = async (options: Record<string, string>) =>
      (await runGenerator(folder, { options })).printed
        .split('\n')
        .flatMap(line => /^ {2}(make \w+)/.exec(line)?.[1] ?? []);
    expect(await commands({ builder: 'dind' })).toEqual(['make doctor', 'make register', 'make up']);
    put('.env', 'RUNNER_TOKEN=x\n');
    expect(await commands({ builder: 'buildkit' })).toEqual(['make up', 'make doctor']);
  });

  it.each([[{}], [{ builder: 'buildkit' }], [{ executor: 'kubernetes', builder: 'buildkit' }]])(
    'in a clone under another name names containers, networks and the release of Helm as before: %j',
    async options => {
      await runGenerator(folder, { options });
      const clone = join(newFolder(), 'another-name');
      cpSync(folder, clone, { recursive: true });
      const before = textsBelow(clone);
      expect((await runGenerator(clone)).printed).toContain(`Nothing changes in ${clone}.`);
      await runGenerator(clone, { options: { tags: 'new' } });
      await runGenerator(clone, { options: { tags: 'old' } });
      expect(textsBelow(clone)).toEqual(before);
    },
  );

  it('refuses a name that no earlier run saved', async () => {
    save({ ...saved(), name: 'My Runner' });
    expect(await refused()).toContain('"name" is no name of a Compose project');
  });

  it('leaves away what the owner took away, and writes all where nothing is left', async () => {
    rmSync(join(folder, 'example/Dockerfile'));
    await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(textsBelow(folder)).not.toHaveProperty(['example/Dockerfile']);
    for (const path of Object.keys(textsBelow(folder))) if (path !== store) rmSync(join(folder, path));
    await runGenerator(folder);
    expect(textsBelow(folder)).toHaveProperty(['example/Dockerfile']);
  });

  it('says which answers of 0.1.0 are not used any more', async () => {
    save({ ...saved(), pullPolicy: 'always', backup: 'no' });
    const { printed } = await runGenerator(folder);
    expect(printed).toContain('Not used any more, of the answers in .yo-rc.json: pullPolicy, backup.');
    expect(saved()).not.toHaveProperty('backup');
  });

  it('leaves the answers of other generators alone', async () => {
    put(store, JSON.stringify({ ...JSON.parse(text(store)), 'generator-x': { a: 1 } }));
    await runGenerator(folder, { options: { tags: 'new' } });
    expect(JSON.parse(text(store))).toMatchObject({ 'generator-x': { a: 1 }, [section]: { tags: 'new' } });
  });
});

describe('a file that is not wanted any more', () => {
  const cleanUp = 'scripts/clean-up.sh';

  it('is removed where it is as it was written, with a folder that it leaves empty', async () => {
    await runGenerator(folder, { options: { monitoring: true } });
    const { printed } = await runGenerator(folder, { options: { monitoring: false, 'clean-up': 'none' } });
    expect(printed).toContain(`  remove ${cleanUp}: not used any more`);
    expect(existsSync(join(folder, cleanUp))).toBe(false);
    expect(existsSync(join(folder, 'grafana'))).toBe(false);
    expect(printed).not.toContain('git rm');
  });

  it('stays where the owner changed it, is named, and is theirs again once it is wanted', async () => {
    edit(cleanUp, /$/, '# mine\n');
    const edited = text(cleanUp);
    const { printed } = await runGenerator(folder, { options: { 'clean-up': 'none' } });
    expect(printed).toContain(`  keep ${cleanUp}: not used any more, and changed or moved by you`);
    expect(printed).toContain(`git rm ${cleanUp}`);
    const { printed: again } = await runGenerator(folder, { options: { 'clean-up': '7' } });
    expect(again).toContain(`  keep ${cleanUp}: your changes, nothing new`);
    expect(text(cleanUp)).toBe(edited);
  });

  it.each([
    ['config/config.toml', {}, { executor: 'kubernetes', builder: 'buildkit' }],
    ['helm/values.yaml', { executor: 'kubernetes', builder: 'buildkit' }, { executor: 'docker' }],
  ])(
    'is written again once it is wanted, where the owner ran the command that removes it: %s',
    async (path, wants, wantsNot) => {
      await runGenerator(folder, { options: wants });
      edit(path, /$/, '# mine\n');
      const { printed } = await runGenerator(folder, { options: wantsNot });
      expect(printed).toContain(`git rm ${path}`);
      rmSync(join(folder, path));
      const back = await runGenerator(folder, { options: { executor: 'docker', ...wants } });
      expect(back.printed).toContain(path);
      expect(back.printed).not.toContain('leave out');
      expect(text(path)).not.toContain('# mine');
    },
  );

  it('stays away where the owner took it away while it was wanted, whatever else changes', async () => {
    rmSync(join(folder, cleanUp));
    const { printed } = await runGenerator(folder, { options: { 'clean-up': '3' } });
    expect(printed).toContain(`  leave out ${cleanUp}: you took it away`);
    expect(existsSync(join(folder, cleanUp))).toBe(false);
  });
});

describe('a file that the owner moved', () => {
  const moved = 'docs/README.runner.md';

  beforeEach(() => {
    mkdirSync(join(folder, 'docs'));
    renameSync(join(folder, 'README.md'), join(folder, moved));
  });

  it('is found by what is in it, and brought up to date where it is now, also once it is edited', async () => {
    const { printed } = await runGenerator(folder, { options: { description: 'First' } });
    expect(printed).toContain(`  change ${moved} (README.md, which you moved)`);
    expect(text(moved)).toContain('First');
    edit(moved, /$/, 'Ours.\n');
    await runGenerator(folder, { options: { description: 'Second' } });
    expect(text(moved)).toMatch(/Second[\s\S]*Ours\.\n$/);
    expect(existsSync(join(folder, 'README.md'))).toBe(false);
  });

  it('and edited, both since the last run, is theirs alone, or the same file where the saved answers say so', async () => {
    edit(moved, /$/, 'Ours.\n');
    const print = vi.spyOn(console, 'log').mockReturnValue();
    await runGenerator(folder, { options: { description: 'First', 'dry-run': true } });
    expect(print.mock.calls.flat()).toContain('  leave out README.md: you took it away');
    save({ ...saved(), moved: { 'README.md': moved } });
    const { printed, refusal } = await runGenerator(folder, { options: { description: 'First' } });
    expect(refusal).toBeUndefined();
    expect(printed).toContain(`  merge ${moved} (README.md, which you moved): your changes and the new ones`);
    expect(text(moved)).toMatch(/First[\s\S]*Ours\.\n$/);
    expect(existsSync(join(folder, 'README.md'))).toBe(false);
  });

  it('may be moved back', async () => {
    await runGenerator(folder, { options: { description: 'First' } });
    renameSync(join(folder, moved), join(folder, 'README.md'));
    edit('README.md', /$/, 'Ours.\n');
    await runGenerator(folder, { options: { description: 'Second' } });
    expect(text('README.md')).toMatch(/Second[\s\S]*Ours\.\n$/);
    expect(saved()).not.toHaveProperty('moved');
  });

  it('is not guessed where two files have its text', async () => {
    copyFileSync(join(folder, moved), join(folder, 'docs/copy.md'));
    const before = text(moved);
    const { printed } = await runGenerator(folder, { options: { description: 'First' } });
    expect(printed).toContain('  leave out README.md: you took it away');
    expect(text(moved)).toBe(before);
  });
});

describe('where the owner and the new answers changed the same lines', () => {
  const settings = 'scripts/settings.ts';

  beforeEach(() => {
    edit(settings, "tag_list: ['old']", "tag_list: ['mine']");
    edit(settings, 'locked: true', 'locked: false');
  });

  it("both are marked as Git's are, all else is written, and the run says where and does not succeed", async () => {
    const { refusal, printed } = await runGenerator(folder, { options: { tags: 'new' } });
    const at = text(settings).split('\n').indexOf('<<<<<<< yours') + 1;
    expect(refusal).toBe(
      `Conflicts are marked in ${settings} (line ${at}): choose between "yours" and "new" there, and take the marks away. All else is written.`,
    );
    expect(printed).toContain(
      `  conflict ${settings}: you and the new answers changed the same lines; to be marked at line ${at}\n`,
    );
    expect(text(settings)).toContain(
      [
        ...[
          '<<<<<<< yours',
          "    tag_list: ['mine'],",
          '||||||| before',
          "    tag_list: ['old'],",
          '=======',
        ],
        ...["    tag_list: ['new'],", '>>>>>>> new', ''],
      ].join('\n'),
    );
    expect(text(settings)).toContain('locked: false');
    expect(text('.gitlab-ci.yml')).toContain('tags: [new]');
    expect(saved().tags).toBe('new');
  });

  it('no run goes on before the marks are gone, and then none asks again', async () => {
    edit('.gitlab-ci.yml', 'tags: [old]', 'tags: [mine]');
    await runGenerator(folder, { options: { tags: 'new' } });
    const why =
      /^Nothing was written, .* are still in \.gitlab-ci\.yml \(line \d+\), scripts\/settings\.ts \(line \d+\): .* run again\.$/;
    expect(await refused({ concurrent: '9' })).toMatch(why);
    expect(await refused()).toMatch(why);
    for (const path of [settings, '.gitlab-ci.yml'])
      put(path, text(path).replace(/<<<<<<< yours\n(.*\n)[\s\S]*>>>>>>> new\n/, '$1'));
    const resolved = text(settings);
    expect((await runGenerator(folder, { options: { concurrent: '9' } })).refusal).toBeUndefined();
    expect(text(settings)).toBe(resolved);
    expect(resolved).toContain("tag_list: ['mine']");
  });

  it.each([
    ['the same answers', {}, "tag_list: ['new'],"],
    ['other ones', { concurrent: '9' }, "tag_list: ['new'],"],
    ['others for those lines', { tags: 'newer' }, "tag_list: ['newer'],"],
  ])('--force takes the new ones also of marks of an earlier run, with %s', async (_, options, line) => {
    await runGenerator(folder, { options: { tags: 'new' } });
    edit(settings, /$/, '// mine\n');
    const { refusal, printed } = await runGenerator(folder, { options: { ...options, force: true } });
    expect(refusal).toBeUndefined();
    expect(printed).toMatch(
      /^ {2}conflict scripts\/settings\.ts: .*; the new ones are taken, and yours go: 1 at line \d+$/m,
    );
    expect(text(settings)).toContain(line);
    expect(text(settings)).toMatch(/locked: false,[\s\S]*\/\/ mine\n$/);
    expect(text(settings)).not.toMatch(/^(<{7}|={7}|>{7}|\|{7})/m);
    expect((await runGenerator(folder)).printed).toContain(
      'keep scripts/settings.ts: your changes, nothing new',
    );
  });

  it('--force refuses marks that are not whole any more', async () => {
    await runGenerator(folder, { options: { tags: 'new' } });
    edit(settings, '||||||| before\n', '');
    expect(await refused({ force: true })).toMatch(/not whole any more.*take them away\. Then run again\.$/);
  });

  it('--force takes the new ones, and keeps all other changes', async () => {
    const { refusal } = await runGenerator(folder, { options: { tags: 'new', force: true } });
    expect(refusal).toBeUndefined();
    expect(text(settings)).toContain("tag_list: ['new'],");
    expect(text(settings)).toContain('locked: false,');
    expect(text(settings)).not.toContain('<<<<<<<');
  });

  describe('what --force takes away of the owner', () => {
    const git = (...words: string[]) => execFileSync('git', words, { cwd: folder });
    const block = ['  mine:', '    image: nginx', '    # Ours.', '    restart: always'];
    const force = { monitoring: true, tags: 'new', force: true };

    beforeEach(() => {
      rmSync(join(folder, '.git'), { recursive: true });
      edit('docker-compose.yml', /$/, `\n${block.join('\n')}\n`);
      // Both make a service of this name, so that it can be in no order.
      edit('docker-compose.yml', '  mine:', '  prometheus:');
    });

    function commit(): void {
      git('init', '--quiet');
      git('add', '.');
      git(
        ...[
          '-c',
          'user.name=a',
          '-c',
          'user.email=a@b.c',
          '-c',
          'core.hooksPath=/dev/null',
          'commit',
          '-qm',
          'x',
        ],
      );
    }

    const lineOf = (path: string, line: string) => text(path).split('\n').indexOf(line) + 1;

    it.skipIf(!hasGit)(
      'is said before and after, by file, line and how many, with the way back',
      async () => {
        commit();
        const [tagsAt, blockAt] = [
          lineOf(settings, "    tag_list: ['mine'],"),
          lineOf('docker-compose.yml', '  prometheus:') - 1,
        ];
        const before = text('docker-compose.yml');
        const { printed, refusal } = await runGenerator(folder, { options: force });
        expect(refusal).toBeUndefined();
        expect(printed).toMatch(
          new RegExp(
            `^  conflict docker-compose\\.yml: .* taken, and yours go: 5 from line ${blockAt}$`,
            'm',
          ),
        );
        expect(printed).toMatch(
          new RegExp(`^  conflict ${settings}: .* taken, and yours go: 1 at line ${tagsAt}$`, 'm'),
        );
        expect(printed.split('\n').at(-1)).toBe(
          `Taken away by --force: docker-compose.yml (5 from line ${blockAt}), ${settings} (1 at line ${tagsAt}). "git diff" shows these lines, and "git restore ." takes back what this run changed.`,
        );
        git('restore', '.');
        expect(text('docker-compose.yml')).toBe(before);
      },
    );

    it('is shown in full where the last commit does not have it', async () => {
      const { printed } = await runGenerator(folder, { options: force });
      const blockAt = /docker-compose\.yml: .* yours go: 5 from line (\d+)$/m.exec(printed)?.[1];
      expect(printed).toContain(
        `Lines of yours that go, of what is not committed as it is:\n  docker-compose.yml, 5 from line ${blockAt}:\n    \n      prometheus:\n        image: nginx\n        # Ours.\n        restart: always`,
      );
      expect(printed.split('\n').at(-1)).toMatch(
        /^Taken away by --force: .* Not committed as it was: docker-compose\.yml, scripts\/settings\.ts; its lines are shown above\.$/,
      );
    });

    it('is in the diff of a dry run', async () => {
      const print = vi.spyOn(console, 'log').mockReturnValue();
      await runGenerator(folder, { options: { ...force, 'dry-run': true } });
      const shown = print.mock.calls.flat().join('\n');
      expect(shown).toContain('and yours go: 5 from line');
      expect(shown).toContain('-    # Ours.\n');
      expect(shown).not.toMatch(/^Taken away|^Lines of yours/m);
    });

    it('is said too of marks of an earlier run', async () => {
      await runGenerator(folder, { options: { tags: 'new' } });
      edit(settings, "    tag_list: ['mine'],", "    tag_list: ['mine'],\n    // Why.");
      edit(settings, 'locked: false', 'locked: maybe');
      const at = lineOf(settings, "    tag_list: ['mine'],");
      const further = lineOf(settings, '    locked: maybe,');
      const { printed } = await runGenerator(folder, { options: { force: true, 'run-untagged': true } });
      expect(printed).toMatch(
        new RegExp(
          `^  conflict ${settings}: .* taken, and yours go: 2 from line ${at}, 1 at line ${further}$`,
          'm',
        ),
      );
      expect(text(settings)).toMatch(/tag_list: \['new'\],\n *run_untagged: true,\n *locked: true,/);
    });

    it('is said of a file whose earlier text is not known', async () => {
      save({ ...saved(), files: { ...saved().files, Makefile: blobId('in no commit') } });
      edit('Makefile', /$/, '# mine\n');
      const at = lineOf('Makefile', '# mine');
      const { printed } = await runGenerator(folder, { options: { force: true } });
      expect(printed).toMatch(
        new RegExp(`^  conflict Makefile: .* the new ones are taken, and yours go: 1 at line ${at}$`, 'm'),
      );
    });
  });

  it('another version that kept no ids, so that its texts are not known, replaces nothing without --force', async () => {
    const { files: _, ...answers } = saved();
    save({ ...answers, version: '0.1.9' });
    expect(await refused()).toMatch(/^Nothing was written, for version 0\.1\.9 of this generator wrote them/);
    await runGenerator(folder, { options: { force: true } });
    expect(text(settings)).toContain("tag_list: ['old']");
    expect(saved().version).not.toBe('0.1.9');
  });

  it('the same version that kept no ids yet knows what it wrote by the answers', async () => {
    const { files: _, ...answers } = saved();
    save(answers);
    await runGenerator(folder, { options: { concurrent: '9', 'clean-up': 'none' } });
    expect(text(settings)).toContain("tag_list: ['mine']");
    expect(existsSync(join(folder, 'scripts/clean-up.sh'))).toBe(false);
    expect(saved().files).toHaveProperty('Makefile');
  });
});

describe('a file whose lines end otherwise', () => {
  const crlf = (content: string) => content.replaceAll('\n', '\r\n');
  const forms: Record<string, (content: string) => string> = {
    'carriage returns': crlf,
    'a byte order mark': content => `\uFEFF${content}`,
    'no end of its last line': content => content.replace(/\n$/, ''),
    'all of that': content => `\uFEFF${crlf(content).replace(/\r\n$/, '')}`,
  };
  const all = Object.entries(forms);

  it.each(all)(
    'is as it was written, and stays in its form, also where it is replaced: %s',
    async (_, form) => {
      const paths = Object.keys(textsBelow(folder)).filter(path => path !== store);
      for (const path of paths) put(path, form(text(path)));
      const before = textsBelow(folder);
      expect((await runGenerator(folder)).printed).toContain(`Nothing changes in ${folder}.`);
      expect(textsBelow(folder)).toEqual(before);
      const { refusal, printed } = await runGenerator(folder, {
        options: { tags: 'new', 'clean-up': 'none' },
      });
      expect(refusal).toBeUndefined();
      expect(printed).toMatch(/^ {2}change scripts\/settings\.ts$/m);
      expect(printed).toMatch(/^ {2}remove scripts\/clean-up\.sh/m);
      const plain = newFolder();
      await runGenerator(plain, { options: { tags: 'new', 'clean-up': 'none' }, args: [basename(folder)] });
      const wanted = textsBelow(join(plain, basename(folder)));
      for (const path of Object.keys(wanted))
        if (path !== store) expect(text(path)).toBe(form(wanted[path]!));
    },
  );

  it.each(all)('is merged, and marked, in its form: %s', async (_, form) => {
    edit('scripts/settings.ts', 'locked: true', 'locked: false');
    put('scripts/settings.ts', form(text('scripts/settings.ts')));
    await runGenerator(folder, { options: { tags: 'new' } });
    const merged = text('scripts/settings.ts');
    expect(merged).toBe(form(merged.replaceAll('\r', '').replace('\uFEFF', '').replace(/\n*$/, '\n')));
    expect(merged).toMatch(/tag_list: \['new'\],[\s\S]*locked: false/);
    edit('scripts/settings.ts', "['new']", "['mine']");
    const { refusal } = await runGenerator(folder, { options: { tags: 'newer' } });
    expect(refusal).toMatch(/^Conflicts are marked in scripts\/settings\.ts \(line 22\)/);
    const marked = text('scripts/settings.ts');
    expect(marked).toBe(form(marked.replaceAll('\r', '').replace('\uFEFF', '').replace(/\n*$/, '\n')));
    await runGenerator(folder, { options: { force: true } });
    expect(text('scripts/settings.ts')).toBe(merged.replace("['new']", "['newer']"));
  });

  it('keeps the ends of the lines of the owner where these are mixed, and gives new ones that of most', async () => {
    put('.gitlab-ci.yml', crlf(text('.gitlab-ci.yml')));
    edit('.gitlab-ci.yml', /$/, 'mine:\n  script: [make]\n');
    expect((await runGenerator(folder, { options: { tags: 'new' } })).refusal).toBeUndefined();
    expect(text('.gitlab-ci.yml')).toMatch(/\r\n {2}tags: \[new\] [^\r\n]*\r\n/);
    expect(text('.gitlab-ci.yml')).toMatch(/\r\nmine:\n {2}script: \[make\]\n$/);
  });

  it('is found where it was moved', async () => {
    put('Runner.mk', crlf(text('Makefile')));
    rmSync(join(folder, 'Makefile'));
    const { printed } = await runGenerator(folder, { options: { 'clean-up': 'none', monitoring: true } });
    expect(printed).toContain('  change Runner.mk (Makefile, which you moved)');
    expect(text('Runner.mk')).toMatch(/^[^\n]*\r\n/);
  });

  it('may be the saved answers', async () => {
    put(store, `\uFEFF${crlf(text(store))}`);
    expect((await runGenerator(folder, { options: { concurrent: '9' } })).refusal).toBeUndefined();
    const saved = text(store);
    expect(saved).toMatch(/^\uFEFF\{\r\n[\s\S]*"concurrent": "9",\r\n/);
    expect(saved.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it.skipIf(!hasGit)('gives a diff that git apply takes', async () => {
    edit('scripts/settings.ts', 'locked: true', 'locked: false');
    for (const path of ['scripts/settings.ts', 'README.md']) put(path, forms['all of that']!(text(path)));
    const print = vi.spyOn(console, 'log').mockReturnValue();
    await runGenerator(folder, { options: { tags: 'new', 'dry-run': true } });
    const copy = newFolder();
    cpSync(folder, copy, { recursive: true });
    rmSync(join(copy, '.git'), { recursive: true });
    execFileSync('git', ['apply', '-'], { cwd: copy, input: `${print.mock.calls.flat().join('\n')}\n` });
    await runGenerator(folder, { options: { tags: 'new' } });
    expect(textsBelow(copy)).toEqual(textsBelow(folder));
  });
});

describe('files of another version', () => {
  const older = 'version = "of another version"\n';
  const git = (...words: string[]) => execFileSync('git', words, { cwd: folder, encoding: 'utf8' });

  /** Makes the file one that a version had written of which the templates are gone. */
  function fromElsewhere(path: string): void {
    put(path, `${older}${text(path)}`);
    const files = { ...saved().files, [path]: blobId(text(path)) };
    save({ ...saved(), version: '0.1.9', files });
  }

  beforeEach(() => {
    rmSync(join(folder, '.git'), { recursive: true });
    fromElsewhere('Makefile');
  });

  it('are replaced where they are as they were written', async () => {
    expect((await runGenerator(folder)).refusal).toBeUndefined();
    expect(text('Makefile')).not.toContain(older);
  });

  it.skipIf(!hasGit)('are merged where the owner changed them, with what Git has as the base', async () => {
    git('init', '--quiet');
    git('add', '.');
    edit('Makefile', /$/, '# mine\n');
    const { printed, refusal } = await runGenerator(folder);
    expect(refusal).toBeUndefined();
    expect(printed).toContain('  merge Makefile: your changes and the new ones');
    expect(text('Makefile')).not.toContain(older);
    expect(text('Makefile')).toMatch(/# mine\n$/);
  });

  it.skipIf(!hasGit)(
    'are merged once more at the next version, though no commit has what the version between wrote',
    async () => {
      git('init', '--quiet');
      git('add', '.');
      edit('Makefile', /$/, '# mine\n');
      await runGenerator(folder);
      save({ ...saved(), version: '0.1.10', files: { ...saved().files, Makefile: blobId('in no commit') } });
      const { refusal } = await runGenerator(folder);
      expect(refusal).toBeUndefined();
      expect(text('Makefile')).not.toContain(older);
      expect(text('Makefile')).toMatch(/# mine\n$/);
    },
  );

  it('are left, and the new text is shown, where nobody has the base; --force takes it', async () => {
    edit('Makefile', /$/, '# mine\n');
    const before = text('Makefile');
    for (const _ of ['at first', 'and again, for nothing was decided']) {
      const { printed, refusal } = await runGenerator(folder);
      expect(refusal).toMatch(/^Not brought up to date, .* in no commit: Makefile\. .* --force/);
      expect(printed).toContain(`--- a/Makefile\n+++ b/Makefile\n`);
      expect(printed).toContain(`-${older}`);
      expect(text('Makefile')).toBe(before);
    }
    expect((await runGenerator(folder, { options: { force: true } })).refusal).toBeUndefined();
    expect(text('Makefile')).not.toMatch(/of another version|mine/);
  });
});

it.skipIf(!hasGit)('what is not committed is named, and is no reason to refuse', async () => {
  rmSync(join(folder, '.git'), { recursive: true });
  const git = (...words: string[]) => execFileSync('git', words, { cwd: folder });
  git('init', '--quiet');
  git('add', '.');
  const somebody = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'core.hooksPath=/dev/null'];
  git(...somebody, 'commit', '--quiet', '-m', 'x');
  edit('README.md', /$/, 'Ours.\n');
  edit('Makefile', /$/, '# mine\n');
  const { printed, refusal } = await runGenerator(folder, { options: { tags: 'new' } });
  expect(refusal).toBeUndefined();
  const named = /^Not committed yet, .*: (.*)$/m.exec(printed)?.[1];
  expect(named).toBe('README.md');
});

describe('--dry-run', () => {
  const dryRun = async (options: Record<string, unknown>) => {
    const print = vi.spyOn(console, 'log').mockReturnValue();
    const before = textsBelow(folder);
    const outcome = await runGenerator(folder, { options: { 'dry-run': true, ...options } });
    expect(textsBelow(folder)).toEqual(before);
    return { ...outcome, shown: `${print.mock.calls.flat().join('\n')}\n` };
  };

  it.skipIf(!hasGit).each([{ builder: 'buildkit' }, { cache: 's3' }, { executor: 'docker-autoscaler' }])(
    'prints a diff that git apply takes, also where a hunk ends with an empty line: %j',
    async options => {
      const { shown } = await dryRun(options);
      const copy = newFolder();
      cpSync(folder, copy, { recursive: true });
      rmSync(join(copy, '.git'), { recursive: true });
      execFileSync('git', ['apply', '-'], { cwd: copy, input: shown });
      await runGenerator(folder, { options });
      expect(textsBelow(copy)).toEqual(textsBelow(folder));
    },
  );

  it.skipIf(!hasGit)(
    'prints the summary and what git apply makes the same changes of, and writes nothing',
    async () => {
      edit('README.md', /^/, 'Ours.\n');
      const options = { tags: 'new', 'clean-up': 'none', monitoring: true };
      const { shown, printed, refusal } = await dryRun(options);
      expect(refusal).toBeUndefined();
      expect(printed).toBe('');
      expect(shown).toMatch(
        /^In .*:\n(?: {2}create .*\n)+(?: {2}change .*\n)+ {2}merge README\.md: .*\n {2}remove /,
      );
      const copy = newFolder();
      cpSync(folder, copy, { recursive: true });
      rmSync(join(copy, '.git'), { recursive: true });
      execFileSync('git', ['apply', '-'], { cwd: copy, input: shown });
      await runGenerator(folder, { options });
      expect(textsBelow(copy)).toEqual(textsBelow(folder));
    },
  );

  it.each([
    ...(hasGit ? [['git apply', ['git', 'apply', '-']] as const] : []),
    ...(hasPatch ? [['patch', ['patch', '--quiet', '-p1']] as const] : []),
  ])('of a new repository gives by %s the same files with the same modes', async (_, [program, ...words]) => {
    folder = newFolder();
    const { shown } = await dryRun({});
    execFileSync(program!, words, { cwd: folder, input: shown });
    const files = () =>
      Object.entries(textsBelow(folder)).map(([path, text]) => [
        path,
        text,
        statSync(join(folder, path)).mode,
      ]);
    const applied = files();
    for (const path of Object.keys(textsBelow(folder))) rmSync(join(folder, path));
    await runGenerator(folder);
    expect(applied).toEqual(files());
    expect(statSync(join(folder, 'scripts/run')).mode & 0o111).toBe(0o111);
  });

  it('says what would be in conflict, and does not succeed', async () => {
    edit('scripts/settings.ts', "tag_list: ['old']", "tag_list: ['mine']");
    const { refusal } = await dryRun({ tags: 'new' });
    expect(refusal).toMatch(
      /^Conflicts would be marked in scripts\/settings\.ts \(line \d+\); --force takes/,
    );
    expect((await dryRun({ tags: 'new', force: true })).refusal).toBeUndefined();
  });
});

describe("a folder with the owner's own files", () => {
  const own = {
    Makefile: 'all:\n',
    'README.md': '# Mine\n',
    '.gitignore': '*.o\n',
    'docker-compose.yml': 'services: {}\n',
  };

  beforeEach(() => {
    folder = newFolder();
    for (const [path, content] of Object.entries(own)) put(path, content);
  });

  it('is asked for in one question, whose default and whose abort write nothing at all', async () => {
    for (const answers of [{}, { write: false }]) {
      const { asked, refusal } = await runGenerator(folder, { options: { terminal: true }, answers });
      expect(asked.filter(name => name === 'write')).toHaveLength(1);
      expect(refusal).toBe('Nothing was written.');
      expect(textsBelow(folder)).toEqual(own);
    }
  });

  it('is replaced where the owner agrees, or by --force', async () => {
    const { refusal } = await runGenerator(folder, {
      options: { terminal: true },
      answers: { write: true },
    });
    expect(refusal).toBeUndefined();
    expect(text('Makefile')).not.toBe(own.Makefile);
    put('Makefile', own.Makefile);
    rmSync(join(folder, store));
    await runGenerator(folder, { options: { force: true } });
    expect(text('Makefile')).not.toBe(own.Makefile);
  });

  it('is refused without a terminal, and with --defaults, which asks nothing', async () => {
    for (const options of [{}, { terminal: true, defaults: true }]) {
      expect(await refused(options)).toBe(
        'Nothing was written: .gitignore, Makefile, README.md, docker-compose.yml are there already, and not of this generator. Move away what you need, or run with --force to replace all of it.',
      );
    }
  });

  it.each([
    ['a folder of it', 'scripts', true],
    ['a file of it', 'Makefile', true],
    ['the saved answers', store, true],
    ['a file that is not there', '.env.example', false],
  ])('is refused where a symbolic link leads out of it: %s', async (_, path, exists) => {
    const outside = newFolder();
    if (exists) writeFileSync(join(outside, 'target'), '{}');
    rmSync(join(folder, path), { force: true });
    symlinkSync(join(outside, exists && path === 'scripts' ? '.' : 'target'), join(folder, path));
    expect(await refused({ force: true })).toMatch(
      new RegExp(`^${path} is a symbolic link to .*: nothing was written\\.`),
    );
    expect(Object.keys(textsBelow(outside))).toEqual(exists ? ['target'] : []);
  });

  it('may have a link that stays in it', async () => {
    put('Makefile.mine', 'x');
    rmSync(join(folder, 'Makefile'));
    symlinkSync('Makefile.mine', join(folder, 'Makefile'));
    await runGenerator(folder, { options: { force: true } });
    expect(text('Makefile.mine')).toBe(text('Makefile'));
    expect(text('Makefile.mine')).not.toBe('x');
  });
});

describe('a folder that another run wrote', () => {
  it.each(['99.1.0', '0.10.0'])(
    'by a newer version stays as it is, unless --force says to go back: %s',
    async version => {
      edit('.yo-rc.json', /"version": "[^"]*"/, `"version": "${version}"`);
      expect(await refused({ concurrent: '9' })).toContain(`version ${version} of this generator`);
      expect(
        (await runGenerator(folder, { options: { concurrent: '9', force: true } })).refusal,
      ).toBeUndefined();
    },
  );

  it('gets no second repository in a folder of it, unless one is named', async () => {
    const inside = join(folder, 'scripts');
    const { refusal } = await runGenerator(inside, {});
    expect(refusal).toBe(
      `The repository is in ${folder}: go there to change it, or name the folder of a new one. Nothing was written.`,
    );
    expect((await runGenerator(inside, { args: ['new'] })).refusal).toBeUndefined();
  });
});

describe('config/config.toml', () => {
  it.each(['token = "glrt-abc"', "token = 'x'", 'token = ""'])(
    'that holds a token is never replaced: %s',
    async line => {
      edit('config/config.toml', 'token = "${RUNNER_TOKEN}"', line);
      const refusal = await refused({ force: true });
      expect(refusal).toMatch(/^config\/config\.toml holds the token of a runner, and is never replaced/);
      // Moved away it would count as a file that the owner does not want.
      expect(refusal).toContain('tokenVariable');
      expect(refusal).not.toContain('mv ');
    },
  );

  it('that cannot be read is not said to hold a token', async () => {
    writeFileSync(join(folder, 'config/config.toml'), Buffer.from([0xff, 0xfe, 0x00]));
    expect(await refused({ concurrent: '9', force: true })).toMatch(
      /config\.toml is not in UTF-8: convert it/,
    );
  });

  it('that would be no TOML is not written', async () => {
    edit('config/config.toml', 'executor = "docker"', 'executor = ');
    expect(await refused({ concurrent: '9' })).toMatch(
      /^config\/config\.toml would be no TOML with your changes/,
    );
  });

  it('keeps what the owner added at its end where a runner is added after it', async () => {
    put('config/config.toml', `${text('config/config.toml')}    dns = ["10.0.0.1"]\n`);
    const { refusal } = await runGenerator(folder, { generator: GitLabRunnerDockerRunner, args: ['deploy'] });
    expect(refusal).toBeUndefined();
    expect(text('config/config.toml')).toMatch(
      /dns = \["10\.0\.0\.1"\]\n\n\[\[runners\]\]\n {2}name = "deploy"/,
    );
  });
});

describe('a .yo-rc.json that holds nothing usable', () => {
  it.each([
    ['a bad value', { concurrent: 'many' }, '"concurrent" in .yo-rc.json: The number'],
    [
      'the builder that is gone',
      { builder: 'socket-proxy' },
      '"builder" in .yo-rc.json: The builder socket-proxy is gone',
    ],
    ['a value of the wrong kind', { description: {} }, '"description" is not text'],
    ['answers that are no object', [], '"generator-gitlab-runner-docker" is not an object'],
  ])('is refused by a sentence that says what to do: %s', async (_, answers, why) => {
    save(answers);
    const refusal = await refused({ force: true });
    expect(refusal).toContain(why);
    expect(refusal).toMatch(/ [Mm]end it.*\.$/);
  });

  it('is mended by an option', async () => {
    save({ ...saved(), concurrent: 'many' });
    expect(
      (await runGenerator(folder, { options: { concurrent: '5', force: true } })).refusal,
    ).toBeUndefined();
    expect(saved()).toMatchObject({ concurrent: '5', tags: 'old' });
  });
});
