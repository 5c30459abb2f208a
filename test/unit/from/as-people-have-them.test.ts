import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerToken as token } from '../../support/tokens.ts';

// Shapes that people have in public repositories, with other names.

describe('an image that registers when it starts', () => {
  const compose = `services:
  gitlab-runner:
    build: .
    restart: always
    environment:
      CI_SERVER_URL: https://git.example.com
      REGISTRATION_TOKEN: ${registrationToken}
      RUNNER_NAME: built
      RUNNER_TAG_LIST: a,b
    volumes: [ "/var/run/docker.sock:/var/run/docker.sock" ]
`;

  it.each([
    ['by its variables alone', 'gitlab-runner register --non-interactive && gitlab-runner "$@"\n'],
    [
      'by options out of them',
      '[ -f /etc/gitlab-runner/config.toml ] || gitlab-runner register -n --url "$CI_SERVER_URL" --registration-token "${REGISTRATION_TOKEN}"\nexec /usr/bin/dumb-init /entrypoint run\n',
    ],
    [
      'by defaults that name other variables',
      'URL_DEFAULT=https://gitlab.com\nURL="${CI_SERVER_URL:-$URL_DEFAULT}"\ngitlab-runner register -n --url ${URL} --registration-token "${TOKEN:-${REGISTRATION_TOKEN:-none}}"\n',
    ],
  ])('has the variables of its service: %s', (_, script) => {
    const { answers, runners, environment, said } = movedIn({
      'docker-compose.yml': compose,
      Dockerfile: 'FROM gitlab/gitlab-runner\n',
      'entrypoint.sh': `#!/bin/bash\n${script}`,
    });
    expect(answers).toMatchObject({
      gitlabUrl: 'https://git.example.com',
      description: 'built',
      tags: ['a', 'b'],
    });
    expect(runners).toHaveLength(1);
    expect(environment).toContain(`\nREGISTRATION_TOKEN=${registrationToken}\n`);
    expect(said).not.toMatch(/variables of the container|--(url|registration-token)/);
    expect(said).toContain('Its image is built from a Dockerfile');
  });
});

it('a container in which somebody registers by hand has its variables for that', () => {
  const { answers, runners } = movedIn({
    'docker-compose.yml':
      'services:\n  runner:\n    image: gitlab/gitlab-runner\n    environment: [ RUNNER_NAME=by hand, DOCKER_IMAGE=alpine:3 ]\n',
    'README.sh': 'docker-compose exec runner bash\ngitlab-runner register\n',
  });
  expect(answers.description).toBe('by hand');
  expect(runners[0]!.docker.image).toBe('alpine:3');
});

it('a script that exports its .env by xargs has it', () => {
  const { answers, environment, said } = movedIn({
    '.env': `CI_SERVER_URL=https://git.example.com\nCI_SERVER_TOKEN=${token}\nRUNNER_TAG_LIST="docker,production"\n`,
    'register.sh': "export $(grep -v '^#' .env | xargs)\ngitlab-runner register --non-interactive\n",
  });
  expect(answers).toMatchObject({ gitlabUrl: 'https://git.example.com', tags: ['docker', 'production'] });
  expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
  expect(said).not.toContain('of .env');
});

it('an image of the time when it was called gitlab-ci-multi-runner is not run on, and what it has comes along', () => {
  const { answers, runners, said } = movedIn({
    'docker-compose.yml': `runner:
  image: sameersbn/gitlab-ci-multi-runner:latest
  volumes: [ "./data:/home/gitlab_ci_multi_runner/data", "/var/run/docker.sock:/var/run/docker.sock" ]
  environment: [ "CI_SERVER_URL=https://git.example.com/ci", "RUNNER_TOKEN=abcdefgh123456789012", RUNNER_DESCRIPTION=old ]
`,
    'data/config.toml': `[[runners]]\nname = "old"\nurl = "https://git.example.com"\ntoken = "abcdefgh1234567890ab"\nexecutor = "docker"\n`,
  });
  expect(answers).toMatchObject({ description: 'old', runnerImage: 'gitlab/gitlab-runner:alpine' });
  expect(runners).toHaveLength(1);
  expect(said).toContain(
    '- the image sameersbn/gitlab-ci-multi-runner:latest: GitLab Runner of before 2017, which no GitLab of today works with',
  );
  expect(said).toContain('- variables of the container: RUNNER_TOKEN, RUNNER_DESCRIPTION');
  expect(said).not.toMatch(/abcdefgh|mounts of the container/);
});

describe('what a script does to config.toml beside registering is named', () => {
  const register = `gitlab-runner register --url https://git.example.com --token ${token}\n`;

  it.each([
    "sudo sed -i 's/^concurrent.*/concurrent = 4/' /etc/gitlab-runner/config.toml",
    'docker exec runner sed -i "s/concurrent = 1/concurrent = 4/" /etc/gitlab-runner/config.toml',
    'cat > /etc/gitlab-runner/config.toml <<EOF\nconcurrent = 4\nEOF',
    'echo "concurrent = 4" | sudo tee /etc/gitlab-runner/config.toml',
    'echo "  privileged = true" >> ./config/config.toml',
    "perl -pi -e 's/1/4/' config.toml",
  ])('%s', line => {
    expect(movedIn({ 'install.sh': `${register}${line}\n` }).said).toContain(
      '- install.sh: what it changes in config.toml. Put a copy of that, as it is now, beside it',
    );
  });

  it.each([
    'cat /etc/gitlab-runner/config.toml',
    'test -f config.toml && rm config.toml',
    '# sed config.toml',
  ])('but not what only looks at it: %s', line => {
    expect(movedIn({ 'install.sh': `${register}${line}\n` }).said).not.toContain('what it changes');
  });
});

describe('other ways to start a container', () => {
  it.each([
    'docker create --name r -v ./cfg:/etc/gitlab-runner gitlab/gitlab-runner:v17',
    'sudo nerdctl run -d -v ./cfg:/etc/gitlab-runner gitlab/gitlab-runner:v17',
    'docker service create --name r --mount type=bind,src=./cfg,dst=/etc/gitlab-runner gitlab/gitlab-runner:v17',
    'exec docker run --env-file <(grep -v "^#" a.env) -v ./cfg:/etc/gitlab-runner gitlab/gitlab-runner:v17 run',
  ])('are read: %s', line => {
    const { answers } = movedIn({
      'run.sh': `${line}\n`,
      'cfg/config.toml': `[[runners]]\nname = "there"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`,
    });
    expect(answers).toMatchObject({ description: 'there', runnerImage: 'gitlab/gitlab-runner:v17' });
  });

  it.each([
    'sudo docker run -d "$IMAGE"',
    'podman run x',
    'sudo -E docker service create $IMAGE',
    'docker compose run --rm ci register --url https://x',
  ])('are named where what they start is not known: %s', line => {
    expect(movedIn({ 'run.sh': `docker run gitlab/gitlab-runner\n${line}\n` }).said).toContain(
      '- run.sh: a command that runs another container, or one that only the script knows',
    );
  });
});

it.each([
  ['docker run --env-file "$(pwd -P)/a.env" gitlab/gitlab-runner:v17', '--env-file …/a.env was not read'],
  ['docker run "gitlab/gitlab-runner:$VERSION"', '--runner-image, "gitlab/gitlab-runner:…": '],
])('what only a script knows is shown as that: %s', (line, sentence) => {
  const { said, texts } = movedIn({ 'run.sh': `${line}\n` });
  expect(said).toContain(sentence);
  expect(said + JSON.stringify(texts)).not.toContain('\uffff');
});
