import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerToken as token } from '../../support/tokens.ts';

/** What `gitlab-runner register` reads of its environment, here as each way to give it writes it. */
const variables: Readonly<Record<string, string>> = {
  CI_SERVER_URL: 'https://git.example.com',
  CI_SERVER_TOKEN: token,
  RUNNER_NAME: 'by variables',
  RUNNER_EXECUTOR: 'docker',
  RUNNER_TAG_LIST: 'linux,docker',
  REGISTER_LOCKED: 'false',
  REGISTER_RUN_UNTAGGED: 'true',
  REGISTER_NON_INTERACTIVE: 'true',
  DOCKER_IMAGE: 'alpine:3.20',
  DOCKER_PRIVILEGED: 'true',
  DOCKER_VOLUMES: '/var/run/docker.sock:/var/run/docker.sock',
};
const each = (write: (name: string, value: string) => string, separator = ' ') =>
  Object.entries(variables)
    .map(([name, value]) => write(name, value))
    .join(separator);
const file = each((name, value) => `${name}=${value}`, '\n');
const run = 'docker run -d -v /nowhere/config:/etc/gitlab-runner';
const compose = (more: string, extra = '') =>
  `services:\n  runner:\n    image: gitlab/gitlab-runner:alpine\n    restart: always\n${more}${extra}`;

describe('the variables of register become what its options do', () => {
  it.each<[string, Record<string, string>, string?]>([
    [
      'given by docker run -e',
      { 'run.sh': `sudo ${run} ${each((name, value) => `-e "${name}=${value}"`)} gitlab/gitlab-runner` },
    ],
    [
      'passed on by docker run -e, as the script exports them',
      {
        'run.sh': `${each((name, value) => `export ${name}='${value}'`, '\n')}\n${run} ${each(name => `--env ${name}`)} gitlab/gitlab-runner`,
      },
    ],
    [
      'given by docker run --env-file',
      { 'run.sh': `${run} --env-file ./a.env gitlab/gitlab-runner`, 'a.env': `# ours\n\n${file}\n` },
      'run.sh',
    ],
    [
      'given by environment of Compose, as a list',
      {
        'compose.yml': compose(
          `    environment:\n${each((name, value) => `      - ${name}=${value}`, '\n')}\n`,
        ),
      },
    ],
    [
      'given by environment of Compose, out of .env',
      {
        'docker-compose.yml': compose(`    environment:\n${each(name => `      ${name}:`, '\n')}\n`),
        '.env': file,
      },
    ],
    [
      'given by env_file of Compose',
      { 'docker-compose.yml': compose('    env_file: runner.env\n'), 'runner.env': `export ${file}\n` },
      'docker-compose.yml',
    ],
    [
      'given by several env_file of Compose, the last of which counts',
      {
        'docker-compose.yml': compose('    env_file: [ { path: first.env, required: false }, second.env ]\n'),
        'first.env': `${file}\nRUNNER_NAME=before\n`,
        'second.env': "RUNNER_NAME='by variables'\n",
      },
    ],
    [
      'given by docker exec -e',
      {
        'register.sh': `docker exec ${each((name, value) => `-e ${name}="${value}"`)} -it gitlab-runner gitlab-runner register`,
      },
    ],
    [
      'given by docker compose run',
      {
        'register.sh': `docker compose run --rm ${each((name, value) => `-e${name}="${value}"`)} runner register`,
      },
    ],
    [
      'of the container in which docker exec registers',
      {
        'docker-compose.yml': compose(
          `    environment:\n${each((name, value) => `      ${name}: "${value}"`, '\n')}\n`,
        ),
        'register.sh': 'docker compose exec -T runner gitlab-runner register\n',
      },
    ],
    [
      'exported by the script',
      {
        'install.sh': `${each((name, value) => `${name}='${value}'`, '\n')}\nexport ${each(name => name)}\ngitlab-runner register -n\n`,
      },
    ],
    [
      'of a file that the script exports',
      {
        'install.sh': 'set -a\n. ./.env\nset +a\ngitlab-runner register -n\n',
        '.env': `${each((name, value) => `${name}='${value}'`, '\n')}\n`,
      },
    ],
    [
      'before the command',
      { 'install.sh': `${each((name, value) => `${name}="${value}"`)} gitlab-runner register -n\n` },
    ],
    [
      'after sudo and env',
      {
        'install.sh': `sudo -E env ${each((name, value) => `${name}="${value}"`)} gitlab-runner register -n\n`,
      },
    ],
  ])('%s', (_, files, path = '') => {
    const { answers, runners, environment, texts, said } = movedIn(files, {}, path);
    expect(answers).toMatchObject({
      gitlabUrl: 'https://git.example.com',
      description: 'by variables',
      tags: ['linux', 'docker'],
      runUntagged: true,
      builder: 'socket',
    });
    expect(runners).toHaveLength(1);
    expect(runners[0]!.docker).toMatchObject({ image: 'alpine:3.20', privileged: true });
    expect(texts['scripts/settings.ts']).toContain('locked: false');
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(said).not.toMatch(/Not taken over|variables of the container|of \.env/);
    expect(JSON.stringify(texts) + said).not.toContain(token);
  });

  it('but not those that a script sets and does not export', () => {
    const { answers, runners } = movedIn({
      'install.sh': `RUNNER_NAME=mine\nDOCKER_IMAGE=ruby\nlocal RUNNER_TAG_LIST=a\ngitlab-runner register -n --url https://x.example.com\n`,
    });
    expect(answers.description).not.toBe('mine');
    expect(runners[0]!.docker.image).not.toBe('ruby');
    expect(answers.tags).not.toContain('a');
  });

  it('and a registration token among them goes to .env', () => {
    const { environment, said } = movedIn({
      'run.sh': `docker run -d -e CI_SERVER_URL=https://git.example.com/ -e REGISTRATION_TOKEN=${registrationToken} gitlab/gitlab-runner:latest\n`,
    });
    expect(environment).toContain(`\nREGISTRATION_TOKEN=${registrationToken}\n`);
    expect(said).toContain('1 [[runners]], none with a token of its own.');
    expect(said).not.toContain(registrationToken);
  });
});

describe('where several things say it', () => {
  const registers = `gitlab-runner register --url https://git.example.com --token ${token} --name typed\n`;
  const environment = (lines: string) => compose(`    environment:\n${lines}`);

  it('options win over variables', () => {
    const { answers } = movedIn({ 'register.sh': `RUNNER_NAME=x RUNNER_TAG_LIST=b ${registers}` });
    expect(answers).toMatchObject({ description: 'typed', tags: ['b'] });
  });

  it('docker run -e wins over --env-file, and environment over env_file', () => {
    const { answers } = movedIn({
      'run.sh': 'docker run --env-file a.env -e RUNNER_NAME=typed gitlab/gitlab-runner\n',
      'a.env': `${file}\n`,
    });
    expect(answers.description).toBe('typed');
    const composed = movedIn({
      'compose.yml': `${environment('      RUNNER_NAME: typed\n')}    env_file: a.env\n`,
      'a.env': `${file}\n`,
    });
    expect(composed.answers.description).toBe('typed');
  });

  it('config.toml wins, and says nothing of tags: those of the variables are taken', () => {
    const { answers, runners } = movedIn({
      'config.toml': `[[runners]]\nname = "there"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n[runners.docker]\nimage = "ruby:3"\n`,
      'compose.yml': environment(each((name, value) => `      ${name}: "${value}"`, '\n')),
    });
    expect(answers).toMatchObject({ description: 'there', tags: ['linux', 'docker'] });
    expect(runners).toHaveLength(1);
    expect(runners[0]!.docker.image).toBe('ruby:3');
  });

  it('a command that registers is the one runner, and what the container has beside it is named', () => {
    const { runners, answers, said } = movedIn({
      'compose.yml': environment('      CI_SERVER_URL: https://other.example.com\n'),
      'register.sh': registers,
    });
    expect(runners).toHaveLength(1);
    expect(answers.gitlabUrl).toBe('https://git.example.com');
    expect(said).toContain('- variables of the container: CI_SERVER_URL');
  });

  it('several services that register by their variables are several runners', () => {
    const service = (name: string, more = '') =>
      `  ${name}:\n    image: gitlab/gitlab-runner\n    environment: { CI_SERVER_URL: https://git.example.com, RUNNER_NAME: ${name}, CI_SERVER_TOKEN: ${token}${more} }\n`;
    const { runners } = movedIn({ 'compose.yml': `services:\n${service('one')}${service('two')}` });
    expect(runners.map(({ name }) => name)).toEqual(['one', 'two']);
  });
});

describe('what is named, and no value of it', () => {
  it.each<[string, Record<string, string>, string]>([
    [
      'a file that is not there',
      { 'run.sh': `docker run --env-file /nowhere/a.env gitlab/gitlab-runner\n` },
      'run.sh: --env-file /nowhere/a.env was not read: it is not there, or may not be read',
    ],
    [
      'a file of Compose that is not there',
      { 'compose.yml': compose('    env_file: ./gone.env\n') },
      'compose.yml: env_file ./gone.env of runner was not read: it is not there, or may not be read',
    ],
    [
      'a variable that nothing sets',
      { 'compose.yml': compose('    environment: [ RUNNER_NAME ]\n') },
      'compose.yml: the variable RUNNER_NAME: nothing sets it',
    ],
    [
      'variables that register does not have',
      {
        'compose.yml': compose(
          `    environment: { CI_SERVER_URL: "https://x.example.com", RUNNER_FROB: ${token}, MINE: 1, DOCKER_TLS_CERTDIR: "" }\n`,
        ),
      },
      'variables of the container: RUNNER_FROB, MINE, DOCKER_TLS_CERTDIR',
    ],
    [
      'the name of a runner alone, which registers none',
      { 'compose.yml': compose('    environment: { RUNNER_NAME: x }\n') },
      'variables of the container: RUNNER_NAME',
    ],
    [
      'an option that has no place here',
      {
        'compose.yml': compose(
          '    environment: { CI_SERVER_URL: "https://x.example.com", TEMPLATE_CONFIG_FILE: /t }\n',
        ),
      },
      'compose.yml: --template-config of register',
    ],
    [
      'a value that only running the script tells',
      {
        'run.sh':
          'docker run -e CI_SERVER_URL=https://x.example.com -e CI_SERVER_TOKEN=$(cat t) gitlab/gitlab-runner\n',
      },
      'run.sh: options of docker run whose values the script makes',
    ],
  ])('%s', (_, files, sentence) => {
    const { said } = movedIn(files);
    expect(said).toContain(`- ${sentence}`);
    expect(said).not.toContain(token);
  });
});
