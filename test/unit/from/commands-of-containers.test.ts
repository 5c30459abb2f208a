import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const options = `--non-interactive --url https://git.example.com --name shell --token ${token} --executor docker --docker-image ruby:3 --docker-volumes /var/run/docker.sock:/var/run/docker.sock`;
const register = `gitlab-runner register ${options}`;
const compose = (lines: string) => `services:\n  runner:\n    image: gitlab/gitlab-runner:alpine\n${lines}`;

describe('a shell that a container is started with is read as the lines that it runs', () => {
  it.each<[string, Record<string, string>]>([
    [
      'entrypoint, a list',
      {
        'compose.yml': compose(`    entrypoint: [sh, -c, "${register} && gitlab-runner run --user=root"]\n`),
      },
    ],
    [
      'entrypoint, with variables of the container',
      {
        'compose.yml': compose(
          `    environment: { TOKEN: ${token} }\n    entrypoint:\n      - /bin/bash\n      - -ec\n      - |\n        # first\n        if ! test -s /etc/gitlab-runner/config.toml; then\n          ${register.replace(token, () => '"$$TOKEN"').replace(' --executor', ' \\\n            --executor')}\n        fi\n        exec gitlab-runner run\n`,
        ),
      },
    ],
    [
      'entrypoint and command, texts',
      {
        'compose.yml': compose(
          `    entrypoint: /bin/sh\n    command: >\n      -c "\n      ${register.replace(' --executor', '\n      --executor')}\n      ; gitlab-runner run"\n`,
        ),
      },
    ],
    [
      'command, a text',
      { 'compose.yml': compose(`    command: bash -c '${register}; gitlab-runner run'\n`) },
    ],
    [
      'command, several lines of one text',
      {
        'compose.yml': compose(
          `    command: |\n      register ${options.replace(' --executor', '\n      --executor')}\n`,
        ),
      },
    ],
    [
      'command, with && for no shell',
      { 'compose.yml': compose(`    command: >\n      register ${options}\n      && gitlab-runner run\n`) },
    ],
    [
      'command, with words before register',
      {
        'compose.yml': compose(
          `    command: ["--debug", "register", ${JSON.stringify(options.split(' ')).slice(1)}\n`,
        ),
      },
    ],
    [
      'entrypoint, a program that starts another',
      {
        'compose.yml': compose(
          `    entrypoint: dumb-init -- gitlab-runner register\n    command: ${options}\n`,
        ),
      },
    ],
    [
      'entrypoint, a script that is mounted',
      {
        'compose.yml': compose(
          `    entrypoint: [ /bin/sh, /entry.sh ]\n    environment: { TOKEN: ${token} }\n    volumes: [ "./start/up.sh:/entry.sh:ro" ]\n`,
        ),
        'start/up.sh': `#!/bin/sh\n${register.replace(token, () => '$TOKEN')}\nexec gitlab-runner run\n`,
      },
    ],
    [
      'a mounted script in the folder, which is read once',
      {
        'compose.yml': compose('    entrypoint: /entry.sh\n    volumes: [ "./entry.sh:/entry.sh" ]\n'),
        'entry.sh': `${register}\nexec gitlab-runner run\n`,
      },
    ],
    [
      'docker run --entrypoint',
      {
        'run.sh': `docker run -d --entrypoint bash gitlab/gitlab-runner:alpine -c "${register}; gitlab-runner start; sleep infinity"\n`,
      },
    ],
    [
      'docker run of a shell',
      { 'run.sh': `docker run -d gitlab/gitlab-runner:alpine sh -c '${register}'\n` },
    ],
    ['docker exec of a shell', { 'run.sh': `docker exec runner bash -c "${register}"\n` }],
    ['a shell of another user', { 'run.sh': `sudo su - gitlab-runner -c '${register}'\n` }],
    ['another host', { 'run.sh': `ssh ci.example.com "sudo ${register}"\n` }],
    ['a text that is put together before', { 'run.sh': `C="${register}"\nbash -c "$C && true"\n` }],
  ])('%s', (_, files) => {
    const { answers, runners, environment, said, texts } = movedIn(files);
    expect(answers).toMatchObject({
      gitlabUrl: 'https://git.example.com',
      description: 'shell',
      builder: 'socket',
    });
    expect(runners).toHaveLength(1);
    expect(runners[0]!.docker.image).toBe('ruby:3');
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(said).not.toMatch(/more containers|of register/);
    expect(JSON.stringify(texts) + said).not.toContain(token);
  });

  it('and the container that runs after it is the one that counts', () => {
    const { answers, said } = movedIn({
      'compose.yml': `services:
  register:
    image: gitlab/gitlab-runner:v16
    entrypoint: [sh, -c, "${register}"]
  runner:
    image: gitlab/gitlab-runner:v17
    depends_on: [register]
`,
    });
    expect(answers.runnerImage).toBe('gitlab/gitlab-runner:v17');
    expect(said).not.toContain('more containers');
  });

  it.each([
    ['does more than that', `[sh, -c, "update-ca-certificates; ${register} && gitlab-runner run"]`],
    ['is a program of its own', '/own.sh'],
  ])('but one that %s is named', (_, entrypoint) => {
    const { said } = movedIn({ 'compose.yml': compose(`    entrypoint: ${entrypoint}\n`) });
    expect(said).toContain('look whether it needs these too: entrypoint.');
  });

  it.each(['echo', 'printf'])('and what %s prints registers nothing', program => {
    const files = {
      'run.sh': `docker run gitlab/gitlab-runner\n${program} "${register}"\n${program} ${register}\n`,
    };
    expect(movedIn(files).runners).toHaveLength(1);
    expect(movedIn(files).said).toContain('No [[runners]] was there.');
  });
});

describe('a docker-compose.yml', () => {
  it('of the first format, without services, is read', () => {
    const { answers, runners, said } = movedIn({
      'docker-compose.yml': `runner:\n  image: gitlab/gitlab-runner:v11\n  command: ${register.slice(14)}\nredis:\n  image: redis\n`,
    });
    expect(answers.description).toBe('shell');
    expect(runners).toHaveLength(1);
    expect(said).toContain('- the service redis of docker-compose.yml');
  });

  it.each([
    ['build: .', 'builds it'],
    ['image: registry.example.com/ci/own:1', 'has it from elsewhere'],
  ])('with an image of its own (%s) is read where it mounts a config.toml', image => {
    const { answers, said } = movedIn({
      'compose.yml': `services:\n  ci:\n    ${image}\n    volumes: [ "./cfg:/etc/gitlab-runner" ]\n    extra_hosts: [ "git.local:10.0.0.1" ]\n`,
      'cfg/config.toml': `[[runners]]\nname = "own"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`,
    });
    expect(answers).toMatchObject({ description: 'own', extraHosts: ['git.local:10.0.0.1'] });
    if (image.startsWith('build')) {
      expect(answers.runnerImage).toBe('gitlab/gitlab-runner:alpine');
      expect(said).toContain('Its image is built from a Dockerfile');
    } else expect(answers.runnerImage).toBe('registry.example.com/ci/own:1');
  });
});
