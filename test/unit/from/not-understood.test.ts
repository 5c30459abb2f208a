import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerToken as token } from '../../support/tokens.ts';

function refusalOf(files: Readonly<Record<string, string>>, path = ''): string {
  try {
    movedIn(files, {}, path);
  } catch (error) {
    const { name, message } = error as Error;
    expect(name).toBe('Refusal');
    expect(message).not.toContain(token);
    expect(message).not.toContain(registrationToken);
    expect(message).toMatch(/[Nn]othing was written/);
    return message;
  }
  throw new Error('It was taken over.');
}

const isTemplate = (path: string) =>
  `${path}: a template, and not what is made of it. Take that from the host of the runner`;
const runner = (url: string, secret: string) =>
  `concurrent = 2\n[[runners]]\n  name = "a"\n  url = "${url}"\n  token = "${secret}"\n  executor = "docker"\n`;

describe('a template of a file is not taken for the file, and not in part either', () => {
  it.each([
    ['of Ansible', { 'config.toml': runner('{{ gitlab_url }}', '{{ vault_runner_token }}') }],
    [
      'that is no TOML',
      { 'config.toml': `{% for r in runners %}\n${runner('{{ r.url }}', 'x')}{% endfor %}\n` },
    ],
    ['of Puppet', { 'config.toml': runner('<%= @url -%>', token) }],
    ['of Go', { 'config.toml': runner('https://git.example.com', '{{ .Token }}') }],
    ['of Go, with a function', { 'config.toml': runner('{{ key "gitlab/url" }}', token) }],
    [
      'of a script',
      {
        'register.sh': `gitlab-runner register --url {{ url }} --registration-token ${registrationToken} --tag-list {{ tags | join(',') }}\n`,
      },
    ],
    [
      'of a docker-compose.yml',
      {
        'docker-compose.yml': `services:\n  runner:\n    image: "gitlab/gitlab-runner:{{ version }}"\n    environment: { CI_SERVER_TOKEN: ${token} }\n`,
      },
    ],
    [
      'of one with blocks',
      {
        'compose.yml': `services:\n  runner:\n    image: gitlab/gitlab-runner\n{% if proxy %}\n    environment: { HTTP_PROXY: x }\n{% endif %}\n`,
      },
    ],
    [
      'of a unit',
      {
        'r.service':
          '[Service]\nExecStart=/usr/bin/docker run -v {{ dir }}:/etc/gitlab-runner gitlab/gitlab-runner\n',
      },
    ],
  ] as [string, Record<string, string>][])('%s', (_, files) => {
    const [path] = Object.keys(files) as [string];
    expect(refusalOf(files)).toContain(isTemplate(path));
    expect(refusalOf(files, path)).toContain(isTemplate(path));
  });

  it('and what lies beside it is taken over without it', () => {
    const { said, texts, answers, environment } = movedIn({
      'config.toml': runner('{{ gitlab_url }}', '{{ vault_runner_token }}'),
      'docker-compose.yml': 'services:\n  runner:\n    image: gitlab/gitlab-runner:v17\n',
    });
    expect(answers.runnerImage).toBe('gitlab/gitlab-runner:v17');
    expect(said).toContain(`- ${isTemplate('config.toml')}`);
    expect(said).toContain('No [[runners]] was there.');
    expect(JSON.stringify(texts) + environment).not.toMatch(/gitlab_url|vault_runner_token/);
  });

  it.each([
    `docker ps --format '{{.Names}}' | grep runner\n`,
    'docker inspect -f "{{json .Config}} {{ .Id }} {{range .Mounts}}{{.Source}}{{end}}" runner\n',
    'date +%Y; echo ${A%%b} "<%"\n',
  ])('but what a script gives docker to fill in is none: %j', line => {
    const { answers } = movedIn({ 'run.sh': `${line}docker run gitlab/gitlab-runner:v17\n` });
    expect(answers.runnerImage).toBe('gitlab/gitlab-runner:v17');
  });

  it('nor is what a config.toml gives a job to fill in', () => {
    const { answers, runners } = movedIn({
      'config.toml': `${runner('https://git.example.com', token)}  pre_build_script = "docker ps --format '{{.ID}}'"\n`,
    });
    expect(answers.description).toBe('a');
    expect(runners[0]).toMatchObject({ pre_build_script: "docker ps --format '{{.ID}}'" });
  });
});

describe('what is of something else is refused by what it is', () => {
  const values = `gitlabUrl: https://git.example.com\nrunnerRegistrationToken: ${registrationToken}\nrunners:\n  config: |\n    [[runners]]\n      executor = "kubernetes"\n`;

  it.each([
    ['values of Helm', { 'prod.yaml': values }, 'prod.yaml'],
    [
      'values of a chart with that of GitLab in it',
      { 'prod.yml': `gitlab-runner:\n  ${values.trim().replaceAll('\n', '\n  ')}\n` },
      'prod.yml',
    ],
    ['a folder with values of that kind', { 'values.yaml': values }, ''],
  ])('%s', (_, files, path) => {
    const message = refusalOf(files as Record<string, string>, path);
    expect(message).toContain('is of Kubernetes');
    expect(message).toContain('--executor kubernetes');
  });

  it.each(['', '\u001b[0;m'])(
    'what "gitlab-runner list" shows: its tokens are of no use, the file that it names is',
    colour => {
      const list = `Runtime platform    ${colour} arch=amd64${colour}\nListing configured runners ${colour} ConfigFile${colour}=/srv/r/config.toml\nci-host ${colour} Executor${colour}=docker Token${colour}=${token} URL${colour}=https://git.example.com/\n`;
      const message = refusalOf({ 'list.txt': list }, 'list.txt');
      expect(message).toContain(
        'what "gitlab-runner list" shows. Name the config.toml that it was read from: /srv/r/config.toml',
      );
      const beside = movedIn({ 'list.sh': list, 'run.sh': 'docker run gitlab/gitlab-runner\n' });
      expect(beside.runners).toHaveLength(1);
      expect(beside.said).toContain('No [[runners]] was there.');
      expect(beside.said + JSON.stringify(beside.texts)).not.toContain(token);
    },
  );

  it.each([
    [
      'a playbook',
      `- hosts: all\n  tasks:\n    - shell: gitlab-runner register --registration-token ${registrationToken}\n`,
    ],
    [
      'a task of Ansible',
      `- docker_container:\n    image: gitlab/gitlab-runner\n    env: { CI_SERVER_TOKEN: ${token} }\n`,
    ],
    ['cloud-init', `#cloud-config\nruncmd:\n  - gitlab-runner register -n --token ${token}\n`],
  ])('%s', (_, text) => {
    expect(refusalOf({ 'a.yml': text }, 'a.yml')).toContain('a.yml: YAML that has no services of Compose');
  });
});

describe('lines of another shell that go on', () => {
  const lines = (sign: string) =>
    `docker run --rm -v c:\\gitlab\\runner:/etc/gitlab-runner gitlab/gitlab-runner register ${sign}\r\n  --url "https://git.example.com" ${sign}\r\n  --name windows ${sign}\r\n  --token ${token}\r\ndocker run -d gitlab/gitlab-runner:v17\r\n`;

  it.each([
    ['register.ps1', '`'],
    ['register.txt', '`'],
    ['register.bat', '^'],
    ['register.cmd', '^'],
  ])('are one line: %s', (path, sign) => {
    const { answers, environment, said } = movedIn({ [path]: lines(sign) }, {}, path);
    expect(answers).toMatchObject({
      gitlabUrl: 'https://git.example.com',
      description: 'windows',
      runnerImage: 'gitlab/gitlab-runner:v17',
    });
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(said).not.toContain('no option');
  });
});
