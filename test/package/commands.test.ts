import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answerNames, questions, type TypedAnswers } from '../../generators/ask/questions.ts';
import { defaultsInWords } from '../../generators/ask/usage.ts';
import { generatorVersion } from '../../generators/write/saved-answers.ts';
import { riskOf } from '../../generators/write/summary.ts';
import { allTogether, type Scenario } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { pathsWith, planWith } from '../support/rendered.ts';
import { runnerToken as token } from '../support/tokens.ts';
import { own, ownAsRoot, realYo, Workplace } from './support/workplace.ts';

const normalUsers = [own, ...(needs(realYo.exists, 'yo, by npm ci in test/tools') ? [realYo] : [])];
const everybody = [...normalUsers, ...(ownAsRoot.exists ? [ownAsRoot] : [])];

/** Has a repository in `runner`, for what comes next: all ways write the same, and this one soonest. */
async function prepare(workplace: Workplace, ...words: readonly string[]): Promise<void> {
  expect((await workplace.run(own, 'runner', ...words)).code).toBe(0);
}

/** Every file in the folder `runner`, saved answers included. */
const everyFile = (typed: Scenario = {}): string[] =>
  [...pathsWith(typed), '.yo-rc.json'].map(path => `runner/${path}`).sort();

describe.each(everybody)('$name, without a terminal', way => {
  test('writes the complete repository, asks nothing, and says what comes next', async () => {
    const workplace = new Workplace(way);
    const { code, stdout, stderr } = await workplace.run(way, 'runner');

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    const created = pathsWith().map(path => `  create ${path}`);
    const { can } = planWith().threats.find(({ builder }) => builder === 'socket')!;
    const risk = riskOf('socket', can);
    const steps = ['cd runner', 'git init', 'make doctor', 'make register', 'make up'];
    const lines = stderr.split('\n').filter(line => !line.startsWith('    '));
    expect(lines.map(line => line.replace(/ +# .*/, ''))).toEqual([
      ...[`In ${join(workplace.folder, 'runner')}:`, ...created, risk],
      ...['', 'Next:', ...steps.map(step => `  ${step}`), ''],
    ]);
    expect(workplace.paths().sort()).toEqual(everyFile());
    expect(workplace.executables()).toEqual(['runner/scripts/run']);
  });

  test('writes byte for byte what the own command writes, and puts each answer where it belongs', async () => {
    const answers: TypedAnswers = {
      ...allTogether,
      gitlabUrl: 'https://gitlab.example.com:8443/git',
      tags: 'on,build box',
      description: '1e3',
      runnerImage: 'gitlab/gitlab-runner:ubuntu',
    };
    // What is about instances of a cloud is refused beside the rest.
    const words = answerNames.flatMap(name => {
      if (answers[name] === undefined) return [];
      const { option, yesNo } = questions[name];
      return yesNo ? [`--${option}`] : [`--${option}`, String(answers[name])];
    });
    const workplace = new Workplace(way);
    const other = new Workplace(own);
    const { code } = await workplace.run(way, 'runner', '--defaults', ...words);
    await other.run(own, 'runner', ...words);

    expect(code).toBe(0);
    expect(workplace.texts()).toEqual(other.texts());
    expect(workplace.paths().sort()).toEqual(everyFile(answers));
    expect(JSON.parse(workplace.read('runner/.yo-rc.json'))).toEqual({
      'generator-gitlab-runner-docker': {
        version: generatorVersion,
        name: 'runner',
        ...Object.fromEntries(answerNames.map(name => [name, answers[name] ?? questions[name].default])),
        files: expect.anything(),
      },
    });
    expect(workplace.read('runner/.env.example')).toContain(answers.gitlabUrl);
    expect(workplace.read('runner/docker-compose.yml')).toContain(answers.runnerImage);
    expect(workplace.read('runner/.gitlab-ci.yml')).toContain(`image: ${answers.dockerImage}\n`);
    expect(workplace.read('runner/config/config.toml')).toContain(answers.httpProxy);
    const settings = workplace.read('runner/scripts/settings.ts');
    for (const text of ["'1e3'", "['on', 'build box']", 'true']) expect(settings).toContain(text);
  });

  test('takes a namespace for a cluster, though yo has an option of that name itself', async () => {
    const workplace = new Workplace(way);
    const words = ['--defaults', '--executor', 'kubernetes', '--namespace', 'ci-jobs'];
    const { code } = await workplace.run(way, 'runner', ...words);
    expect(code).toBe(0);
    expect(JSON.parse(workplace.read('runner/helm/release.json')).namespace).toBe('ci-jobs');
  });
});

describe.each(normalUsers)('$name, without a terminal', way => {
  test.each([
    { words: ['--concurrent', '0'], sentence: /^--concurrent: .* must be a whole number from 1 .*\.$/ },
    { words: ['--gitlab-url', 'ftp://x'], sentence: /^--gitlab-url: .* must start with https:\/\/ .*\.$/ },
    { words: ['--docker-image', 'A b'], sentence: /^--docker-image: An image is written .*\.$/ },
    { words: ['--concurrents', '3'], sentence: /^There is no option --concurrents; did you mean .*\.$/ },
  ])('refuses $words in one sentence, and writes nothing', async ({ words, sentence }) => {
    const workplace = new Workplace(way);
    const { code, stdout, stderr } = await workplace.run(way, 'runner', '--defaults', ...words);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(way.beforeError);
    expect(stderr.replace(way.beforeError, '').trimEnd()).toMatch(sentence);
    expect(workplace.paths()).toEqual([]);
  });

  test('keeps an edit beside what changes, and marks where both change one line', async () => {
    const workplace = new Workplace(way);
    await prepare(workplace);
    const path = 'runner/config/config.toml';
    workplace.edit(path, '# mine\n');
    expect((await workplace.run(way, 'runner', '--concurrent', '9')).code).toBe(0);
    expect(workplace.read(path)).toMatch(/^concurrent = 9$[\s\S]*^# mine$/m);

    workplace.replace(path, 'concurrent = 9', 'concurrent = 8');
    const { code, stderr } = await workplace.run(way, 'runner', '--concurrent', '7');
    expect(code).toBe(1);
    expect(stderr).toMatch(/Conflicts are marked in config\/config\.toml \(line \d+\): choose between/);
    const marked =
      /^<<<<<<< yours\nconcurrent = 8\n\|{7} before\nconcurrent = 9\n=======\nconcurrent = 7\n>>>>>>> new\n[\s\S]*^# mine$/m;
    expect(workplace.read(path)).toMatch(marked);

    workplace.replace(
      path,
      marked.exec(workplace.read(path))![0].split('\n').slice(0, 7).join('\n'),
      'concurrent = 8',
    );
    expect((await workplace.run(way, 'runner', '--concurrent', '6', '--force')).code).toBe(0);
    expect(workplace.read(path)).toMatch(/^concurrent = 6$[\s\S]*^# mine$/m);
  });

  test('shows every option and its default with --help', async () => {
    const { code, stdout } = await new Workplace(way).run(way, '--help');
    expect(code).toBe(0);
    // A long entry goes on in the next lines.
    const entries = stdout.replace(/\n {10,}/g, ' ').split('\n');
    for (const name of answerNames) {
      const { option, help } = questions[name];
      const entry = entries.find(text => new RegExp(`^ *--${option} `).test(text));
      expect(entry).toContain(`${help} (default: ${defaultsInWords(name)})`);
    }
    expect(stdout).toContain('--defaults');
  });

  test('adds a runner to a repository, and refuses to where there is none', async () => {
    const workplace = new Workplace(way);
    await prepare(workplace);
    const words = ['deploy', '--builder', 'buildah'];
    const { code, stdout, stderr } = await workplace.addRunner(way, 'runner', ...words);

    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('create example/deploy.gitlab-ci.yml');
    expect(stderr).toContain('make register RUNNER=deploy');
    expect(workplace.paths().sort()).toEqual(everyFile({ runners: { deploy: { builder: 'buildah' } } }));

    const before = workplace.texts();
    const refused = await workplace.addRunner(way, '.', ...words);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/No repository was written in .*: go to its folder, or write/);
    expect(workplace.texts()).toEqual(before);
  });

  test('adds the job of a repository to the pipeline of a project', async () => {
    const workplace = new Workplace(way);
    await prepare(workplace, '--builder', 'buildah', '--tags', 'mine');
    workplace.project('app', { '.gitlab-ci.yml': 'a:\n  script: [x]\n', Dockerfile: 'FROM scratch\n' });
    const { code, stdout, stderr } = await workplace.addJob(way, 'runner', '../app');

    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('The job build-image, in stage build, builds Dockerfile.');
    expect(workplace.read('app/.gitlab-ci.yml')).toMatch(/^a:\n {2}script: \[x\]\n\n#.*\nbuild-image:\n/);
    expect(workplace.read('app/.gitlab-ci.yml')).toContain('tags: [mine]');
  });

  test('takes an older runner over, and shows its token nowhere', async () => {
    const workplace = new Workplace(way);
    const config = `[[runners]]\nname = "a"\nurl = "https://x.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`;
    workplace.project('old', { 'config.toml': config });
    const { code, stdout, stderr } = await workplace.run(way, 'runner', '--from', 'old');

    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain('Taken over from old: 1 [[runners]], 1 with a token');
    expect(workplace.read('runner/.env')).toContain(`RUNNER_TOKEN=${token}`);
    const { 'runner/.env': _, 'old/config.toml': __, ...others } = workplace.texts();
    expect(stderr + JSON.stringify(others)).not.toContain(token);
  });

  test.each(['007', 'a<%b'])('writes to the folder %s, named exactly so', async name => {
    const workplace = new Workplace(way);
    expect((await workplace.run(way, name)).code).toBe(0);
    expect(new Set(workplace.paths().map(path => path.split('/')[0]))).toEqual(new Set([name]));
  });

  test('writes nothing with --dry-run, not even a folder', async () => {
    const workplace = new Workplace(way);
    const { code, stdout } = await workplace.run(way, 'runner', '--dry-run');
    expect(code).toBe(0);
    expect(stdout).toContain('  create Makefile\n');
    expect(workplace.paths()).toEqual([]);
  });

  test('warns of a docker:stable that the engine refuses, and writes it all the same', async () => {
    const workplace = new Workplace(way, { version: '29.1.0', minApiVersion: '1.44' });
    const { code, stderr } = await workplace.run(way, 'runner');
    expect(code).toBe(0);
    expect(stderr).toMatch(/Docker Engine \(29\.1\.0\) .* 1\.44; docker:stable speaks 1\.40 .* docker:cli/);
    expect(workplace.read('runner/.gitlab-ci.yml')).toContain('image: docker:stable\n');
  });
});

describe('the own command, without a terminal', () => {
  test.skipIf(!realYo.exists)('shows the differences of a --dry-run as yo does', async () => {
    const workplace = new Workplace(own);
    await workplace.run(own, 'runner');
    workplace.edit('runner/scripts/settings.ts', '// mine\n');
    const words = ['runner', '--dry-run', '--tags', 'big'];
    const { stdout } = await workplace.run(own, ...words);
    expect(stdout).toContain('  merge scripts/settings.ts');
    expect(stdout).toContain('--- a/scripts/settings.ts\n+++ b/scripts/settings.ts\n');
    expect(stdout).toBe((await workplace.run(realYo, ...words)).stdout);
  });

  test('says nothing of an engine that takes docker:stable', async () => {
    const workplace = new Workplace(own, { version: '29.3.0', minApiVersion: '1.40' });
    const { code, stderr } = await workplace.run(own, 'runner');
    expect(code).toBe(0);
    expect(stderr).not.toContain('Engine');
  });

  test('goes on without an engine that does not answer', async () => {
    const workplaces = [new Workplace(own), new Workplace(own, 'silent')] as const;
    const [quick, slow] = [await workplaces[0].run(own, 'runner'), await workplaces[1].run(own, 'runner')];
    const printed = quick.stderr.replace(workplaces[0].folder, workplaces[1].folder);
    expect({ code: slow.code, stderr: slow.stderr }).toEqual({ code: 0, stderr: printed });
    expect(slow.milliseconds - quick.milliseconds).toBeLessThan(10_000);
  });
});
