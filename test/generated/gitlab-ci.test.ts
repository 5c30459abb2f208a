import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { defaultFor, questions } from '../../generators/ask/questions.ts';
import { filesOf } from '../../generators/write/files.ts';
import { render } from '../../generators/write/render.ts';
import { allScenarios, type Scenario } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { hasGitLabCiLocal, listJobs } from '../support/own-tools.ts';
import { type Ended, isInstalled, planWith, run, temporaryFolder } from '../support/rendered.ts';

function textWith(typed: Scenario = {}): string {
  const plan = planWith(typed);
  return render(filesOf(plan).find(({ path }) => path === '.gitlab-ci.yml')!, plan);
}

const read = (typed?: Scenario) => parse(textWith(typed), { version: '1.1' });

describe.each(Object.entries(allScenarios))('.gitlab-ci.yml with %s', (_, typed) => {
  const text = textWith(typed);
  const pipeline = parse(text, { version: '1.1' });
  const { image, tags, services, script, after_script = [] } = pipeline.build;

  it('is one job in at most 60 lines', () => {
    expect(Object.keys(pipeline)).toEqual(['variables', 'workflow', 'build']);
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(60);
  });

  it('reads the same as YAML 1.1, which GitLab reads, and as YAML 1.2', () => {
    expect(parse(text, { version: '1.2' })).toEqual(pipeline);
  });

  it('asks for the image, the tags and the services of the answers', () => {
    const wanted = questions.tags.check(typed.tags ?? questions.tags.default);
    const byDefault = defaultFor('dockerImage', typed.builder ?? '', undefined, typed.executor);
    expect(image.name ?? image).toBe(typed.dockerImage ?? byDefault);
    expect(tags ?? []).toEqual(wanted);
    const planned = planWith(typed).runners[0].pipeline.services;
    expect(services ?? []).toHaveLength(planned.length);
    for (const [number, { image, alias, options }] of planned.entries()) {
      const { name, alias: called, command } = services[number];
      expect({ name, called }).toEqual({ name: image, called: alias });
      const words = command[0].split(' ');
      expect(words.slice(0, 2)).toEqual(['exec', 'dockerd-entrypoint.sh']);
      expect(words.slice(words.length - options.length)).toEqual(options);
    }
  });

  it.skipIf(!needs(isInstalled('shellcheck', '--version'), 'shellcheck'))(
    'has only lines that shellcheck accepts',
    () => {
      const lines = [...script, ...after_script];
      expect(lines.filter(line => typeof line !== 'string')).toEqual([]);
      // That one variable is words, on purpose.
      const words = lines.join('\n').replace('$BUILD_ARGS', '--build-arg NAME=value');
      const checked = run('.', ['shellcheck', '--shell=sh', '--severity=warning', '-'], words);
      expect(checked, checked.stdout).toMatchObject({ status: 0 });
    },
  );

  it('sets or gets from GitLab every variable that it uses', () => {
    const known = [...Object.keys(pipeline.variables), 'DOCKER_AUTH_CONFIG', 'SSL_CERT_DIR'];
    if (typed.registry) known.push('REGISTRY_USER', 'REGISTRY_PASSWORD');
    const used = [...text.matchAll(/\$\{?([A-Z_]+)/g)].map(([, name]) => name!);
    expect(used.filter(name => !name.startsWith('CI_') && !known.includes(name))).toEqual([]);
  });
});

describe.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local in test/tools, and git'))(
  "GitLab's schema for pipelines, as gitlab-ci-local holds it",
  () => {
    it.each(Object.entries(allScenarios))('accepts the pipeline with %s', async (_, typed) => {
      const { status, stdout, stderr } = await listJobs(textWith(typed));
      expect(status, stderr).toBe(0);
      expect(stderr).toContain('json schema validated');
      expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(['build']);
    });

    it('would refuse a key that GitLab does not know', async () => {
      const { status, stderr } = await listJobs(`${textWith()}\nextra:\n  script: [echo]\n  imagee: x\n`);
      expect(status).toBe(1);
      expect(stderr).toContain('imagee');
    });
  },
);

type Variables = Readonly<Record<string, string>>;

const sha = '1111111111111111111111111111111111111111';
const newer = '2222222222222222222222222222222222222222';

const onBranch = (name: string, slug = name): Variables => ({
  CI_PIPELINE_SOURCE: 'push',
  CI_COMMIT_BRANCH: name,
  CI_COMMIT_REF_SLUG: slug,
});
const onTag = (name: string): Variables => ({
  CI_PIPELINE_SOURCE: 'push',
  CI_COMMIT_TAG: name,
  CI_COMMIT_REF_SLUG: name.toLowerCase().replace(/[^a-z0-9]/g, '-'),
});
const open = { CI_OPEN_MERGE_REQUESTS: 'team/app!7' };
const inMergeRequest = (slug: string): Variables => ({
  ...open,
  CI_PIPELINE_SOURCE: 'merge_request_event',
  CI_COMMIT_REF_SLUG: slug,
});

/** What GitLab gives each job of a project. */
const ofProject: Variables = {
  CI_COMMIT_SHA: sha,
  CI_DEFAULT_BRANCH: 'main',
  CI_JOB_ID: '17',
  CI_PROJECT_PATH: 'a/b-c',
  CI_PROJECT_PATH_SLUG: 'a-b-c',
  CI_PROJECT_ID: '5',
  CI_REGISTRY: 'registry.test',
  CI_REGISTRY_IMAGE: 'registry.test/a/b-c',
  CI_REGISTRY_USER: 'robot$ci',
  CI_REGISTRY_PASSWORD: 'pa$$ %s "word"',
  CI_REPOSITORY_URL: 'https://gitlab-ci-token:secret@gitlab.test/a/b-c.git',
};

/** Whether the rules of `workflow` want a pipeline. */
function isWanted(variables: Variables): boolean {
  const all: Variables = { ...ofProject, ...variables };
  const rules: { if: string }[] = read().workflow.rules;
  return rules.some(rule => {
    const values = rule.if.replace(/\$(\w+)/g, (_, name) => JSON.stringify(all[name] ?? null));
    return new Function(`return Boolean(${values.replaceAll('==', '===')})`)();
  });
}

/** Stands in for a program: notes its words, and what the case has to say. */
const stub = (name: string, then = ''): string => `#!/bin/sh
printf '%s\\n' "${name} $*" >>"$HOME/log"
${then}
`;

interface Job extends Ended {
  /** The calls of docker, buildah, wget and curl. */
  readonly calls: readonly string[];
  /** The names that were pushed, in their order. */
  readonly pushed: readonly string[];
  readonly home: string;
}

/** Runs the script of the job, and after it the rest as GitLab does, with programs that only note how they are called. */
function runJob(typed: Scenario, variables: Variables, refs: string | null = refsAt(sha), docker = ''): Job {
  const home = temporaryFolder();
  mkdirSync(join(home, 'bin'));
  const keep = '[ "$1" != login ] || { cat >"$HOME/password"; env >"$HOME/environment"; }';
  const answer = refs === null ? 'exit 1' : 'cat "$HOME/refs"';
  const stubs = {
    docker: stub('docker', `${keep}\n${docker}`),
    buildah: stub('buildah', keep),
    wget: stub('wget', answer),
    curl: stub('curl', `cat >"$HOME/curl-input"\n${answer}`),
  };
  for (const [name, text] of Object.entries(stubs)) {
    writeFileSync(join(home, 'bin', name), text);
    chmodSync(join(home, 'bin', name), 0o755);
  }
  writeFileSync(join(home, 'refs'), refs ?? '');
  const { variables: own, build } = read(typed);
  const given: Record<string, string> = { ...own, ...ofProject, ...variables };
  const expand = (value: string): string =>
    /^\$|\/\$/.test(value) ? value.replace(/\$(\w+)/g, (_, name) => expand(given[name] ?? '')) : value;
  const env: Record<string, string> = {
    ...given,
    HOME: home,
    PATH: `${join(home, 'bin')}:${process.env.PATH}`,
  };
  for (const name of Object.keys(own)) env[name] = expand(given[name]!);
  const script = build.script.join('\n').replaceAll('/etc/containers', join(home, 'containers'));
  const ended = run(home, ['sh', '-e'], script, env);
  run(home, ['sh', '-e'], (build.after_script ?? []).join('\n'), env);
  const calls = existsSync(join(home, 'log'))
    ? readFileSync(join(home, 'log'), 'utf8').trim().split('\n')
    : [];
  const pushed = calls.flatMap(call => {
    const imagetools = /^docker buildx (?:build|imagetools create) .*--tag (\S+)/.exec(call);
    const found = /^docker push (\S+)|^buildah manifest push .* docker:\/\/(\S+)/.exec(call);
    return imagetools?.[1] ?? found?.[1] ?? found?.[2] ?? [];
  });
  return { ...ended, calls, pushed, home };
}

/** What GitLab answers about its branches: packets of Git's smart HTTP protocol. */
const refsAt = (head: string): string =>
  `001e# service=git-upload-pack\n0000015a${head} HEAD\0multi_ack symref=HEAD:refs/heads/main\n` +
  `003f${newer} refs/heads/main-2\n003f${head} refs/heads/main\n0000`;

const ways: Record<string, Scenario> = {
  socket: {},
  dind: { builder: 'dind' },
  buildkit: { builder: 'buildkit' },
  'buildkit, and a registry without TLS': { builder: 'buildkit', insecureRegistry: 'registry.test' },
  buildah: { builder: 'buildah' },
};

it('tells Buildah that a registry speaks plain HTTP before it logs in there', () => {
  const text = textWith({ builder: 'buildah', insecureRegistry: 'registry.test' });
  expect(text.indexOf('insecure = true')).toBeGreaterThan(0);
  expect(text.indexOf('insecure = true')).toBeLessThan(text.indexOf('buildah login'));
});

describe.each(Object.entries(ways))('the job, with %s,', (_, typed) => {
  const namesOf = ({ pushed }: Job): string[] => pushed.map(name => name.replace('registry.test/a/b-c:', ''));

  it.each<[string, Variables, string[] | undefined]>([
    ['a branch', onBranch('Some/Branch', 'some-branch'), [sha, 'some-branch']],
    ['the default branch', onBranch('main'), [sha, 'main', 'latest']],
    [
      'the default branch of an open merge request',
      { ...onBranch('main'), ...open },
      [sha, 'main', 'latest'],
    ],
    ['another branch of an open merge request', { ...onBranch('other'), ...open }, undefined],
    ['that merge request', inMergeRequest('other'), [sha, 'other']],
    ['a merge request of the default branch', inMergeRequest('main'), [sha, 'main']],
    ['a branch called like latest', onBranch('Latest', 'latest'), [sha]],
    ['a branch without letters', onBranch('_', ''), [sha]],
    ['a Git tag', onTag('v1.2_rc-3'), [sha, 'v1.2_rc-3']],
    ['a Git tag called latest', onTag('latest'), [sha]],
    ['a Git tag that no image can have', onTag('release/2.0+1'), [sha]],
    ['a Git tag that is too long for an image', onTag('v'.repeat(129)), [sha]],
  ])('pushes by the right names for %s', (_, variables, names) => {
    expect(isWanted(variables)).toBe(names !== undefined);
    if (names === undefined) return;
    const job = runJob(typed, variables);
    expect(job.status, job.stderr).toBe(0);
    expect(namesOf(job)).toEqual(names);
  });

  it('leaves latest to a newer commit of the branch, and says so', () => {
    const job = runJob(typed, onBranch('main'), refsAt(newer));
    expect(job.status, job.stderr).toBe(0);
    expect(namesOf(job)).toEqual([sha, 'main']);
    expect(job.stdout).toContain('latest is of a newer commit.');
  });

  it.each([
    ['does not answer', null],
    ['answers with a page', '<!doctype html>\n<title>Sign in</title>\n'],
  ])('pushes latest where GitLab %s, and says so', (_, refs) => {
    const job = runJob(typed, onBranch('main'), refs);
    expect(job.status, job.stderr).toBe(0);
    expect(namesOf(job)).toContain('latest');
    expect(job.stdout).toContain('GitLab does not tell the head of main');
  });

  it('asks no GitLab where it has no need to', () => {
    expect(runJob(typed, onBranch('other')).calls.filter(call => /^(wget|curl)/.test(call))).toEqual([]);
  });

  it('builds what the variables say', () => {
    const own = {
      BUILD_CONTEXT: 'my app',
      BUILD_TARGET: 'web one',
      BUILD_ARGS: '--build-arg A=1 --build-arg B=2',
    };
    const build = (variables: Variables) =>
      runJob(typed, { ...onBranch('x'), ...variables }).calls.find(call => /build .*--file/.test(call));
    expect(build({})).toMatch(/--file example\/Dockerfile --target {2}-.* example$/);
    expect(build(own)).toMatch(
      /--file my app\/Dockerfile --target web one --build-arg A=1 --build-arg B=2 .* my app$/,
    );
    expect(build({ ...own, DOCKERFILE: 'images/x.Dockerfile' })).toContain('--file images/x.Dockerfile ');
  });

  it('gives the password to nothing but standard input, as it is', () => {
    const { calls, home, stdout, stderr } = runJob(typed, onBranch('main'));
    expect(calls.join('\n') + stdout + stderr).not.toContain('"word"');
    if (typed.insecureRegistry) {
      const { auth } = JSON.parse(readFileSync(join(home, '.docker/config.json'), 'utf8')).auths[
        'registry.test'
      ];
      expect(atob(auth)).toBe(`${ofProject.CI_REGISTRY_USER}:${ofProject.CI_REGISTRY_PASSWORD}`);
      expect(statSync(join(home, '.docker/config.json')).mode & 0o777).toBe(0o600);
      return;
    }
    const program = typed.builder === 'buildah' ? 'buildah' : 'docker';
    expect(calls).toContain(`${program} login -u robot$ci --password-stdin registry.test`);
    expect(readFileSync(join(home, 'password'), 'utf8')).toBe(ofProject.CI_REGISTRY_PASSWORD);
  });

  if (!typed.insecureRegistry)
    it('keeps the accounts of DOCKER_AUTH_CONFIG in a file before it logs in', () => {
      const accounts = '{"auths": {"registry.test": {"auth": "b3RoZXI6JXMgXFxu"}}}';
      const { home, status } = runJob(typed, { ...onBranch('x'), DOCKER_AUTH_CONFIG: accounts });
      expect(status).toBe(0);
      expect(readFileSync(join(home, '.docker/config.json'), 'utf8')).toBe(accounts);
      expect(statSync(join(home, '.docker/config.json')).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(home, 'environment'), 'utf8')).not.toContain('DOCKER_AUTH_CONFIG');
    });

  it('says in one sentence that there is no registry, and does nothing', () => {
    const off = runJob(typed, { ...onBranch('main'), CI_REGISTRY: '', CI_REGISTRY_IMAGE: '' });
    expect(off).toMatchObject({
      status: 1,
      stdout: "The container registry is off: see the project's Settings.\n",
    });
    expect(off.calls.filter(call => /login|push|build .*--file/.test(call))).toEqual([]);
  });

  it('says in one sentence which variables an own registry needs', () => {
    const job = runJob({ ...typed, registry: 'registry.test/images' }, onBranch('main'));
    expect(job).toMatchObject({
      status: 1,
      stdout: 'Set REGISTRY_USER and REGISTRY_PASSWORD: Settings > CI/CD.\n',
    });
  });

  it('sends no two projects of an own registry to one image', () => {
    const own = { ...typed, registry: 'registry.test/images' };
    const secrets = { REGISTRY_USER: 'me', REGISTRY_PASSWORD: 'secret' };
    const imageOf = (path: string) =>
      runJob(own, { ...onBranch('x'), ...secrets, CI_PROJECT_PATH: path }).pushed[0];
    expect(imageOf('a/b-c')).toBe(`registry.test/images/a/b-c:${sha}`);
    expect(imageOf('a-b/c')).toBe(`registry.test/images/a-b/c:${sha}`);
    expect(imageOf('Team/App')).toBe(`registry.test/images/team/app:${sha}`);
  });
});

describe('on an engine that jobs share', () => {
  const local = ({ calls }: Job): string[] =>
    calls.flatMap(call => /--tag (build-\S+)/.exec(call)?.[1] ?? []);

  it('two jobs of one commit build under names of their own, and remove them at the end', () => {
    const [one, other] = ['17', '18'].map(id => runJob({}, { ...onBranch('main'), CI_JOB_ID: id }));
    expect([...local(one!), ...local(other!)]).toEqual(['build-17', 'build-18']);
    expect(one!.calls.at(-1)).toBe('docker image rm build-17');
  });

  it('no name is left behind, whatever fails', () => {
    const left = ({ calls }: Job): string[] => {
      const names = calls.flatMap(
        call => /^docker tag \S+ (\S+)|--tag (build-\S+)/.exec(call)?.slice(1) ?? [],
      );
      return names.filter(name => name && !calls.includes(`docker image rm ${name}`));
    };
    const refused = runJob({}, onBranch('main'), undefined, '[ "$1" != push ]');
    expect(refused.status).toBe(1);
    expect(left(refused)).toEqual([]);
    expect(left(runJob({}, onBranch('main')))).toEqual([]);
  });

  it('a name that another job took away is given and pushed again', () => {
    const once = '[ "$1" != push ] || [ -e "$HOME/taken" ] || { touch "$HOME/taken"; exit 1; }';
    const job = runJob({}, onBranch('x'), undefined, once);
    expect(job.status, job.stderr).toBe(0);
    expect(job.pushed.filter(name => name.endsWith(sha))).toHaveLength(2);
  });
});

it('Docker Hub, whose names have two parts, gets a name for each project too', () => {
  const [first, second] = ['1', '2'].map(
    id =>
      runJob(
        { registry: 'docker.io/team' },
        { ...onBranch('x'), REGISTRY_USER: 'me', REGISTRY_PASSWORD: 'secret', CI_PROJECT_ID: id },
      ).pushed[0],
  );
  expect(first).toBe(`docker.io/team/a-b-c-1:${sha}`);
  expect(second).not.toBe(first);
});
