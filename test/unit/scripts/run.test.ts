import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { renderAll } from '../../support/rendered.ts';
import { node } from './folder.ts';

type Scenario = Parameters<typeof renderAll>[0];

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A repository with a script that prints what it was given, and a PATH of stand-ins beside a few real programs. */
class Repository {
  readonly path = mkdtempSync(join(tmpdir(), 'run-'));

  constructor(scenario: Scenario = {}) {
    folders.push(this.path);
    for (const name of ['scripts', 'bin']) mkdirSync(join(this.path, name));
    writeFileSync(join(this.path, 'scripts/run'), renderAll(scenario)['scripts/run'] ?? '');
    for (const name of ['register', 'doctor']) {
      const script = 'console.log(JSON.stringify([process.argv.slice(2), process.env]));';
      writeFileSync(join(this.path, `scripts/${name}.ts`), script);
    }
    for (const program of ['sh', 'dirname', 'id', 'env', 'sed', 'stat', 'tail', 'timeout', 'cat'])
      symlinkSync(
        spawnSync('sh', ['-c', `command -v ${program}`])
          .stdout.toString()
          .trim(),
        this.#at(program),
      );
  }

  #at(program: string): string {
    return join(this.path, 'bin', program);
  }

  with(program: string, script: string): this {
    writeFileSync(this.#at(program), `#!/bin/sh\n${script}\n`);
    chmodSync(this.#at(program), 0o755);
    return this;
  }

  /** With Node.js 24, or one that knows neither TypeScript nor proxies. */
  withNode(fits: boolean): this {
    if (fits) symlinkSync(node, this.#at('node'));
    else this.with('node', 'exit 1');
    return this;
  }

  /** With a docker that writes down its words, one a line, and whose single commands fail so. */
  withDocker(failing: Record<string, string> = {}): this {
    const cases = Object.entries(failing).map(
      ([words, said]) => `"${words}"*) echo "${said}" >&2; exit 1 ;;`,
    );
    const log = join(this.path, 'docker.log');
    return this.with(
      'docker',
      `printf '%s\\n' "$@" >>${log}; env >>${log}.env\ncase "$*" in\n${cases.join('\n')}\nesac`,
    );
  }

  run(words: string[], environment: Record<string, string> = {}) {
    const env = { PATH: join(this.path, 'bin'), ...environment };
    const script = join(this.path, 'scripts/run');
    const { status, stdout, stderr } = spawnSync('/bin/sh', [script, ...words], {
      env,
      encoding: 'utf8',
      cwd: '/',
    });
    return { status, stdout, stderr };
  }

  get docker(): string {
    return readFileSync(join(this.path, 'docker.log'), 'utf8').replaceAll('\n', ' ');
  }
}

const proxy = 'http://proxy.example.com:3128';

describe("with the host's Node.js", () => {
  it('runs the script from the folder of the repository, by sh, without an exec bit', () => {
    const { status, stdout, stderr } = new Repository()
      .withNode(true)
      .run(['register', '--dry-run', "a 'b'"]);
    expect([status, stderr]).toEqual([0, '']);
    const [words, environment] = JSON.parse(stdout);
    expect(words).toEqual(['--dry-run', "a 'b'"]);
    expect(environment).not.toHaveProperty('NODE_EXTRA_CA_CERTS');
    expect(environment).not.toHaveProperty('NODE_USE_ENV_PROXY');
  });

  it('trusts the certificate in config/certs where there is one', () => {
    const repository = new Repository().withNode(true);
    mkdirSync(join(repository.path, 'config/certs'), { recursive: true });
    const file = join(repository.path, 'config/certs/ca.crt');
    copyFileSync(join(repository.path, 'scripts/run'), file);
    const [, environment] = JSON.parse(repository.run(['register']).stdout);
    expect(environment.NODE_EXTRA_CA_CERTS).toBe(file);
  });

  it('sends its calls through a proxy that was asked for, and past it what was named', () => {
    const [, environment] = JSON.parse(
      new Repository({ httpProxy: proxy }).withNode(true).run(['register']).stdout,
    );
    expect(environment).toMatchObject({
      NODE_USE_ENV_PROXY: '1',
      HTTPS_PROXY: proxy,
      HTTP_PROXY: proxy,
    });
    expect(environment.NO_PROXY).toContain('localhost');
  });
});

describe('in a container', () => {
  it('runs register in an image with Node.js and docker, as this user, with variables by their names only', () => {
    const repository = new Repository().withNode(false).withDocker();
    const { status } = repository.run(['register', 'a b'], {
      RUNNER_TOKEN_DEPLOY: 'secret',
      YES: '1',
      OTHER: 'x',
    });
    expect(status).toBe(0);
    expect(repository.docker).toContain(`--user ${process.getuid?.()}:${process.getgid?.()} `);
    expect(repository.docker).toMatch(
      /--env RUNNER_TOKEN_DEPLOY --env YES |--env YES --env RUNNER_TOKEN_DEPLOY /,
    );
    expect(repository.docker).toContain(
      `--network host --mount type=bind,"source=${repository.path}","target=${repository.path}" `,
    );
    expect(repository.docker).toMatch(/gitlab-runner-tools node \S+ scripts\/register\.ts a b $/);
    expect(repository.docker).not.toMatch(/secret|OTHER/);
  });

  it('is root inside where the engine runs without root, as that is the user', () => {
    const repository = new Repository().withNode(false).withDocker();
    repository.with(
      'docker',
      `${readFileSync(join(repository.path, 'bin/docker'), 'utf8')}\n[ "$1" != info ] || echo '[name=rootless]'`,
    );
    repository.run(['register']);
    expect(repository.docker).toContain('--user 0:0 ');
  });

  it("hands over the usual socket where Docker's context names none of this host", () => {
    const repository = new Repository().withNode(false).withDocker();
    repository.with(
      'docker',
      `${readFileSync(join(repository.path, 'bin/docker'), 'utf8')}\n[ "$1" != context ] || echo ssh://elsewhere`,
    );
    repository.run(['doctor']);
    expect(repository.docker).toContain('--volume /var/run/docker.sock:/var/run/docker.sock ');
  });

  it.each([
    ['without BuildKit on Podman, which has none', 'Podman Engine', true],
    ['as Docker builds by itself elsewhere', 'Engine - Community', false],
  ])('builds that image %s', (_how, server, isWithout) => {
    const repository = new Repository().withNode(false).withDocker({ 'image inspect': 'No such image' });
    repository.with(
      'docker',
      `${readFileSync(join(repository.path, 'bin/docker'), 'utf8')}\n[ "$1" != version ] || echo ' ${server}:'`,
    );
    repository.run(['doctor']);
    const environments = readFileSync(join(repository.path, 'docker.log.env'), 'utf8');
    expect(/^DOCKER_BUILDKIT=0$/m.test(environments)).toBe(isWithout);
  });

  it('builds that image where it is not there yet, and says so before, for that takes a while', () => {
    const repository = new Repository().withNode(false).withDocker({ 'image inspect': 'No such image' });
    expect(repository.run(['doctor']).stderr).toBe('Making an image with Node.js, once ...\n');
    expect(repository.docker).toContain('build --quiet --tag gitlab-runner-tools -');
    expect(repository.docker).toMatch(/gitlab-runner-tools node \S+ scripts\/doctor\.ts $/);
    expect(repository.docker).not.toContain('pull');
  });

  it.each([
    [{ dockerNetwork: 'gitlab_default' }, '--network gitlab_default '],
    [{ extraHosts: 'gitlab.lan:10.0.0.5' }, '--network host --add-host gitlab.lan:10.0.0.5 '],
  ])('runs although Node.js fits, where only a container finds GitLab: %j', (scenario, words) => {
    const repository = new Repository(scenario as Scenario).withNode(true).withDocker();
    repository.run(['register']);
    expect(repository.docker).toContain(words);
  });
});

describe('what keeps it from running', () => {
  it.each([
    [
      'Docker Engine',
      { version: 'Cannot connect to the Docker daemon' },
      'No Docker Engine answers: Cannot connect',
    ],
    ['rights', { version: 'permission denied' }, 'No Docker Engine answers: permission denied'],
    [
      'image',
      { 'image inspect': 'No such image', build: 'a step\nError: dial tcp: lookup registry-1.docker.io' },
      'There is no image with Node.js: Error: dial tcp',
    ],
  ])('is one sentence and a remedy where there is no %s', (_, failing, problem) => {
    const { status, stderr } = new Repository().withNode(false).withDocker(failing).run(['register']);
    expect([status, stderr]).toEqual([1, expect.stringContaining(`register: ${problem}`)]);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^ {2}\S/);
  });

  it('says that Docker is not installed', () => {
    const { status, stderr } = new Repository().withNode(false).run(['doctor']);
    expect([status, stderr]).toEqual([1, expect.stringContaining('doctor: Docker is not installed.')]);
  });
});
