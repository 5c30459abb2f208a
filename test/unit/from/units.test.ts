import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const config = `[[runners]]\nname = "served"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`;
const unit = (lines: string, more = '') =>
  `[Unit]\nDescription=GitLab Runner\nAfter=docker.service\n\n[Service]\nStartLimitInterval=5\nRestart=always\n${lines}\n${more}\n[Install]\nWantedBy=multi-user.target\n`;

describe('a unit of systemd', () => {
  it('that starts a container is read as its docker run: lines that go on, comments among them, variables', () => {
    const { answers, environment, said } = movedIn(
      {
        'gitlab-runner.service': unit(
          `Environment=IMAGE=gitlab/gitlab-runner:v16.3.0 "TZ=Europe/Berlin" 'NAMES=--add-host a.local:10.0.0.1 --add-host b.local:10.0.0.2'
EnvironmentFile=-/nowhere/sysconfig/gitlab-runner
EnvironmentFile=runner.env
ExecStartPre=-/usr/bin/docker rm --force %n
ExecStart=/usr/bin/docker run --name %n --network=\${NET} $NAMES \\
  -v /nowhere/gitlab-runner:/etc/gitlab-runner \\
# ExecStart is not over here
; nor here
  -v /var/run/docker.sock:/var/run/docker.sock -e TZ \\
  $IMAGE
ExecStop=/usr/bin/docker stop %n`,
        ),
        'runner.env': "NET='gitlab_net' \n",
      },
      {},
      'gitlab-runner.service',
    );
    expect(answers).toMatchObject({
      runnerImage: 'gitlab/gitlab-runner:v16.3.0',
      dockerNetwork: 'gitlab_net',
      extraHosts: ['a.local:10.0.0.1', 'b.local:10.0.0.2'],
    });
    expect(environment).toContain('\nTZ=Europe/Berlin\n');
    expect(said).toContain('Its config.toml, /nowhere/gitlab-runner/config.toml, is not on this machine');
    expect(said).not.toMatch(/Not taken over|look whether/);
  });

  it('that registers before it starts is read so, by a shell too', () => {
    const { answers, environment, texts, said } = movedIn({
      'ci.service': unit(
        `Environment=TOKEN=${token}\nExecStartPre=/bin/sh -c 'gitlab-runner register -n --url https://git.example.com --token "$TOKEN" --name "100%% ours"'\nExecStart=/usr/bin/gitlab-runner run`,
      ),
    });
    expect(answers).toMatchObject({ gitlabUrl: 'https://git.example.com', description: '100% ours' });
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(JSON.stringify(texts) + said).not.toContain(token);
  });

  it('that runs on the host is read by its config.toml, and by its proxy, as a drop-in sets it', () => {
    const { answers, environment, said } = movedIn(
      {
        'gitlab-runner.service': unit(
          'ExecStart=/usr/bin/gitlab-runner "run" "--config" "/nowhere/config.toml" "--user" "gitlab-runner"\nEnvironmentFile=-/nowhere/gitlab-runner\nLimitNOFILE=4096',
        ),
        'gitlab-runner.service.d/a.conf':
          '[Service]\nExecStart=\nExecStart=/usr/bin/gitlab-runner run --config ./etc/config.toml\n',
        'gitlab-runner.service.d/proxy.conf':
          '[Service]\nEnvironment="HTTP_PROXY=http://proxy.example.com:3128" "NO_PROXY=.example.com"\n',
        'etc/config.toml': config,
      },
      {},
      'gitlab-runner.service',
    );
    expect(answers).toMatchObject({
      description: 'served',
      httpProxy: 'http://proxy.example.com:3128',
      runnerImage: 'gitlab/gitlab-runner:alpine',
    });
    expect(environment).toContain(`\nRUNNER_TOKEN=${token}\n`);
    expect(said).toMatch(/Its config.toml was read too: \S*\/etc\/config.toml\./);
    expect(said).toContain('look whether it needs these too: LimitNOFILE.');
    expect(said).not.toContain('Dockerfile');
  });

  it.each([
    ['run', '/etc/gitlab-runner/config.toml'],
    ['run -c /nowhere/a.toml', '/nowhere/a.toml'],
    ['--debug run --config=/nowhere/b.toml', '/nowhere/b.toml'],
  ])('says where the config.toml of "gitlab-runner %s" is, in a folder as well', (words, path) => {
    const { said } = movedIn({ 'x.service': unit(`ExecStart=/usr/local/bin/gitlab-runner ${words}`) });
    expect(said).toMatch(new RegExp(`Its config.toml(, | was read too: )${path}`));
  });

  it('is read as systemctl cat shows it, by whatever name', () => {
    const { answers } = movedIn(
      {
        'unit.txt': `# /etc/systemd/system/gitlab-runner.service\n${unit('ExecStart=/usr/bin/docker run gitlab/gitlab-runner:v15')}\n# /etc/systemd/system/gitlab-runner.service.d/override.conf\n[Service]\nExecStart=\nExecStart=/usr/bin/docker run gitlab/gitlab-runner:v17\n`,
      },
      {},
      'unit.txt',
    );
    expect(answers.runnerImage).toBe('gitlab/gitlab-runner:v17');
  });

  it.each<[string, string, string]>([
    [
      'a file of variables that is not there',
      'EnvironmentFile=/nowhere/a.env\nExecStart=/usr/bin/docker run gitlab/gitlab-runner',
      'x.service: EnvironmentFile /nowhere/a.env was not read: it is not there, or may not be read',
    ],
    [
      'variables of that file',
      'EnvironmentFile=-/nowhere/a.env\nExecStart=/usr/bin/docker run -v ${DIR}:/data gitlab/gitlab-runner\nExecStartPost=/usr/bin/docker run $IMAGE',
      'x.service: options of docker run whose values the script makes',
    ],
    [
      'an image that only it tells',
      'ExecStartPre=/usr/bin/docker run gitlab/gitlab-runner:v17\nExecStart=/usr/bin/docker run $IMAGE',
      'x.service: a command that runs another container, or one that only the script knows',
    ],
  ])('names %s', (_, lines, sentence) => {
    expect(movedIn({ 'x.service': unit(lines) }).said).toContain(`- ${sentence}`);
  });

  it('that a script writes is no reason to read the script as one', () => {
    const { answers } = movedIn({
      'setup.sh': `#!/bin/sh\ncat > /etc/systemd/system/gitlab-runner.service <<'EOF'\n${unit('ExecStart=/usr/bin/gitlab-runner run')}EOF\ngitlab-runner register --url https://git.example.com --token ${token}\n`,
    });
    expect(answers.gitlabUrl).toBe('https://git.example.com');
  });

  it('is nothing of a runner where it starts something else', () => {
    expect(() => movedIn({ 'x.service': unit('ExecStart=/usr/sbin/nginx') })).toThrow(
      'holds nothing of a runner',
    );
  });
});

it('a container of Podman that systemd starts is read', () => {
  const { answers, environment, said } = movedIn({
    'gitlab-runner.container': `[Unit]
Description=runner
[Container]
Image=docker.io/gitlab/gitlab-runner:v17.1.0
ContainerName=runner
Volume=./cfg:/etc/gitlab-runner:Z
Volume=/run/user/1000/podman/podman.sock:/var/run/docker.sock
Environment=TZ=Asia/Tokyo "HTTP_PROXY=http://proxy.example.com:3128"
AddHost=git.local:10.0.0.7
AutoUpdate=registry
[Install]
WantedBy=default.target
`,
    'cfg/config.toml': config,
  });
  expect(answers).toMatchObject({
    description: 'served',
    runnerImage: 'docker.io/gitlab/gitlab-runner:v17.1.0',
    extraHosts: ['git.local:10.0.0.7'],
    httpProxy: 'http://proxy.example.com:3128',
  });
  expect(environment).toContain('\nTZ=Asia/Tokyo\n');
  expect(said).toContain('look whether it needs these too: AutoUpdate.');
});

it('a name that only a script knows is not part of a command to copy', () => {
  const { said } = movedIn({
    'run.sh': 'docker run --name "$(hostname)" -v cfg:/etc/gitlab-runner gitlab/gitlab-runner\n',
  });
  expect(said).toContain('docker cp CONTAINER:/etc/gitlab-runner/config.toml');
});
