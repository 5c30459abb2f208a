import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOldRunner } from '../../../generators/from/old-runner.ts';
import { nextSteps } from '../../../generators/write/next-steps.ts';
import { movedIn } from '../../support/move-in.ts';
import { planWith, temporaryFolder } from '../../support/rendered.ts';
import { registrationToken, runnerToken, runnerTokenOf } from '../../support/tokens.ts';

/** What each version of `gitlab-runner register` writes above the runners. */
const above = {
  13: 'concurrent = 1\ncheck_interval = 0\n\n[session_server]\n  session_timeout = 1800\n',
  16: 'concurrent = 10\ncheck_interval = 0\nshutdown_timeout = 0\n\n[session_server]\n  session_timeout = 1800\n',
  17: 'concurrent = 4\ncheck_interval = 0\nconnection_max_age = "15m0s"\nshutdown_timeout = 0\n\n[session_server]\n  session_timeout = 1800\n',
};
/** The times of a token, which 15.x and later have. */
const identity =
  '  id = 12\n  token_obtained_at = 2023-06-20T08:15:42Z\n  token_expires_at = 0001-01-01T00:00:00Z\n';
const caches =
  '  [runners.custom_build_dir]\n  [runners.cache]\n    MaxUploadedArchiveSize = 0\n    [runners.cache.s3]\n    [runners.cache.gcs]\n    [runners.cache.azure]\n';
const docker = (volumes: string, privileged = false, image = 'alpine:latest') => `  [runners.docker]
    tls_verify = false
    image = "${image}"
    privileged = ${privileged}
    disable_entrypoint_overwrite = false
    oom_kill_disable = false
    disable_cache = false
    volumes = [${volumes}]
    shm_size = 0
    network_mtu = 0
`;
const socket = '"/var/run/docker.sock:/var/run/docker.sock", "/cache"';
const runner = (name: string, executor: string, more: string, token = runnerTokenOf(name)) =>
  `\n[[runners]]\n  name = "${name}"\n  url = "https://gitlab.example.com/"\n  token = "${token}"\n  executor = "${executor}"\n${more}`;

const usual: Readonly<Record<string, string>> = {
  '13.x, jobs without an engine': above[13] + runner('ci-host-1', 'docker', caches + docker('"/cache"')),
  '15.x, with the socket': above[13] + runner('ci-host-1', 'docker', identity + caches + docker(socket)),
  '16.x, privileged': above[16] + runner('ci-host-1', 'docker', identity + caches + docker('"/cache"', true)),
  '17.x, with the socket': above[17] + runner('ci-host-1', 'docker', identity + caches + docker(socket)),
  '19.x, privileged, with mounts of its own':
    above[17] +
    runner(
      'ci-host-1',
      'docker',
      identity + caches + docker('"/certs/client", "/cache"', true, 'docker:27.5.1'),
    ),
};

/** How many lines of 80 signs a text takes on a screen. */
const rows = (text: string): number =>
  text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 80)), 0);

describe.each(Object.entries(usual))('a config.toml of %s', (_, config) => {
  const { said, texts, environment, runners, answers } = movedIn({ 'config.toml': config });

  it('moves in whole: nothing is named that was not understood', () => {
    expect(said).not.toContain('Not taken over');
    expect(environment).toContain(`\nRUNNER_TOKEN=${runnerTokenOf('ci-host-1')}\n`);
    expect(runners).toHaveLength(1);
    expect(answers.gitlabUrl).toBe('https://gitlab.example.com');
    expect(JSON.stringify(texts) + said).not.toContain(runnerTokenOf('ci-host-1'));
  });

  it('is told of on one screen of 80 by 24, with what comes next', () => {
    const surroundings = {
      ...{ directory: 'my-runner', isInGit: false, isRegistered: true, isExamined: false },
      exists: () => false,
    };
    const next = nextSteps(planWith(), new Map(), surroundings);
    // With the line of the command, and that where the next one is typed.
    expect(rows(['', said, '', 'Next:', ...next, '$ '].join('\n'))).toBeLessThanOrEqual(24);
  });
});

it('runners of other executors stay, each with what can be done, and the rest of the file comes along', () => {
  const { runners, said, global } = movedIn({
    'config.toml': `${above[16]}
# deploys
${runner('deploys', 'shell', identity)}${runner('builds', 'docker', identity + docker(socket))}${runner('pods', 'kubernetes', '  [runners.kubernetes]\n    namespace = "ci"\n')}${runner('clouds', 'docker+machine', '  [runners.machine]\n    IdleCount = 0\n    MachineDriver = "amazonec2"\n')}${runner('windows', 'docker-windows', '')}${runner('own', 'custom', '')}`,
  });
  expect(runners.map(({ name }) => name)).toEqual(['builds']);
  expect(global).toMatchObject({ concurrent: 10, session_server: { session_timeout: 1800 } });
  for (const words of [
    'the runner deploys: its executor is shell, so its jobs run on a machine and in no container.',
    'the runner pods: its executor is kubernetes, so its jobs are pods of a cluster: the Helm chart',
    'the runner clouds: its executor is docker+machine, so Docker Machine, which GitLab removes, makes machines for it: a new repository with --executor docker-autoscaler',
    'the runner windows: its executor is docker-windows, so its jobs are Windows containers',
    'the runner own: its executor is custom, so this package knows docker and docker-autoscaler.',
  ])
    expect(said).toContain(`- ${words}`);
});

describe('a runner whose jobs run on instances of a cloud', () => {
  const scaler = (plugin: string, config: string, more = '') => `
  [runners.autoscaler]
    plugin = "${plugin}"
    capacity_per_instance = 2
    ${more}
    max_instances = 10
    [runners.autoscaler.plugin_config]
${config}
    [runners.autoscaler.connector_config]
      username = "ubuntu"
      password = "hunter22secret"
    [[runners.autoscaler.policy]]
      idle_count = 5
      idle_time = "20m0s"
`;
  const jobs = docker('"/var/run/docker.sock:/var/run/docker.sock"');

  it.each([
    ['fleeting-plugin-aws', 'name = "my-asg"', { cloud: 'aws', instanceGroup: 'my-asg' }],
    ['aws:latest', 'name = "my-asg"', { cloud: 'aws', instanceGroup: 'my-asg' }],
    [
      'fleeting-plugin-googlecompute',
      'name = "g"\nproject = "p"\nzone = "z"',
      { cloud: 'googlecloud', instanceGroup: 'p/z/g' },
    ],
    [
      'registry.gitlab.com/gitlab-org/fleeting/plugins/azure:1.0.0',
      'name = "s"\nsubscription_id = "id"\nresource_group_name = "r"',
      { cloud: 'azure', instanceGroup: 'id/r/s' },
    ],
  ])('keeps its instances as they are, by the plugin %s, but for a password', (plugin, config, answers) => {
    const found = movedIn({
      'config.toml': runner(
        'cloudy',
        'docker-autoscaler',
        identity + jobs + scaler(plugin, config, 'max_use_count = 9'),
      ),
    });
    expect(found.answers).toMatchObject({
      ...{ executor: 'docker-autoscaler', builder: 'socket', instanceJobs: 2, instanceUses: 9 },
      ...answers,
    });
    expect(found.runners[0]).toMatchObject({
      executor: 'docker-autoscaler',
      autoscaler: {
        plugin,
        max_instances: 10,
        connector_config: { username: 'ubuntu' },
        policy: [{ idle_count: 5 }],
      },
    });
    expect(JSON.stringify(found.texts) + found.said).not.toContain('hunter22');
    expect(found.said).toContain('password of config.toml: a secret');
    expect(found.texts['docker-compose.yml']).not.toContain('docker.sock');
  });

  it('stays where it is by a plugin of somebody else, or beside a runner of another executor', () => {
    const text = (plugin: string) =>
      runner('cloudy', 'docker-autoscaler', identity + jobs + scaler(plugin, 'name = "x"'));
    expect(() => movedIn({ 'config.toml': text('fleeting-plugin-hetzner') })).toThrow(
      /not started by GitLab's plugin of aws, googlecloud or azure/,
    );
    const { said, runners } = movedIn({
      'config.toml': runner('here', 'docker', identity + jobs) + text('aws'),
    });
    expect(runners).toHaveLength(1);
    expect(said).toContain(
      'the runner cloudy: its executor is docker-autoscaler, and not docker as that of the first',
    );
  });
});

it('a file with a runner of the shell alone is refused with what can be done', () => {
  expect(() => movedIn({ 'config.toml': above[17] + runner('web1', 'shell', identity + caches) })).toThrow(
    /No runner there has the executor docker.*nothing was written. The runner web1: .*Let it run where it is, or give its jobs an image/,
  );
});

it('paths of Windows, files beside config.toml and a byte order mark are carried along, and said', () => {
  const { runners, said } = movedIn({
    'config.toml':
      `\ufeff${above[13]}${runner('win', 'docker', `  builds_dir = 'C:\\builds'\n  tls-key-file = "/etc/gitlab-runner/certs/c.key"\n${docker(socket)}`)}`.replaceAll(
        '\n',
        '\r\n',
      ),
  });
  expect(runners[0]).toMatchObject({
    builds_dir: 'C:\\builds',
    'tls-key-file': '/etc/gitlab-runner/certs/c.key',
  });
  expect(said).toContain('Paths of Windows are as they were');
  expect(said).toContain('Copy to config/ what config.toml names, and keep keys out of Git: certs/c.key.');
});

it('a certificate beside config.toml, which no line names, makes an authority of its own', () => {
  const { answers, said } = movedIn({
    'config/config.toml': above[13] + runner('a', 'docker', docker(socket)),
    'config/certs/gitlab.example.com.crt': 'a certificate',
  });
  expect(answers.privateCa).toBe(true);
  expect(said).toMatch(
    /Copy the certificate of your authority to config\/certs\/ca.crt: it was .*gitlab.example.com.crt/,
  );
});

describe('the config.toml that a container mounts', () => {
  const config = above[17] + runner('mounted', 'docker', docker(socket));
  const compose = (source: string) =>
    `services:\n  runner:\n    image: gitlab/gitlab-runner:alpine\n    volumes: ["${source}:/etc/gitlab-runner"]\n`;
  const started = (source: string) =>
    `docker run -d --name one -v ${source}:/etc/gitlab-runner gitlab/gitlab-runner\n`;

  it.each([
    ['a folder beside', { 'docker-compose.yml': compose('./cfg') }, ''],
    [
      'a folder beside, where only the file is named',
      { 'docker-compose.yml': compose('./cfg') },
      'docker-compose.yml',
    ],
    [
      'a variable of .env',
      { 'compose.yml': compose('${CFG:-./none}'), '.env': 'CFG=./cfg\n' },
      'compose.yml',
    ],
    ['the folder of a script', { 'run.sh': started('"$(pwd)/cfg"') }, 'run.sh'],
    ['that folder by its variable', { 'run.sh': started('${PWD}/cfg/') }, ''],
    [
      'the file alone',
      {
        'run.sh':
          'docker run -v $PWD/cfg/config.toml:/etc/gitlab-runner/config.toml:ro gitlab/gitlab-runner\n',
      },
      '',
    ],
  ])('is read too: %s', (_, files, path) => {
    const { answers, said, environment } = movedIn({ ...files, 'cfg/config.toml': config }, {}, path);
    expect(answers.description).toBe('mounted');
    expect(environment).toContain(`\nRUNNER_TOKEN=${runnerTokenOf('mounted')}\n`);
    expect(said).toMatch(/Its config.toml was read too: \/.*\/cfg\/config.toml\./);
  });

  it('is said to be elsewhere', () => {
    const { said } = movedIn({ 'run.sh': started('/nowhere/gitlab-runner/config') });
    expect(said).toContain(
      'Taken over from an older runner: what its container is started with. No [[runners]]',
    );
    expect(said).toContain(
      'Its config.toml, /nowhere/gitlab-runner/config/config.toml, is not on this machine, so it was not read',
    );
    expect(said).toContain("GitLab's address was not there, so https://gitlab.com was taken");
  });

  it('is said to be in a volume, with the command that copies it', () => {
    const { said } = movedIn({ 'run.sh': started('runner-config') });
    expect(said).toContain(
      'Its config.toml is in the volume runner-config and was not read: run "docker cp one:/etc/gitlab-runner/config.toml ."',
    );
  });

  it.each(['runner-config', '/nowhere/gitlab-runner/config'])(
    'is read as a copy beside what was named, as was asked for: %s',
    source => {
      const { answers, said } = movedIn({ 'run.txt': started(source), 'config.toml': config }, {}, 'run.txt');
      expect(answers.description).toBe('mounted');
      expect(said).toMatch(/Its config.toml was read too: \S*\/config.toml\./);
    },
  );

  it('is not read where there is one in the folder', () => {
    const { answers, said } = movedIn({
      'docker-compose.yml': compose('./cfg'),
      'cfg/config.toml': config,
      'config.toml': above[17] + runner('here', 'docker', docker(socket)),
    });
    expect(answers.description).toBe('here');
    expect(said).not.toContain('was read too');
  });
});

it('a docker-compose.yml with anchors, other files and a registration becomes answers, and what was not read is named', () => {
  const { answers, said, runners, texts } = movedIn({
    'docker-compose.yml': `x-base: &base
  restart: always
  env_file: runner.env
  logging: { driver: json-file }
include: [more.yml]
services:
  runner:
    <<: *base
    extends: { file: common.yml, service: base }
    image: \${IMAGE:?no image}
    volumes: [ "runner-home:/home/gitlab-runner" ]
    extra_hosts: [ "\${GONE:?}:10.0.0.2", "gitlab.local:10.0.0.1" ]
  register:
    image: gitlab/gitlab-runner:alpine
    command: >
      register --non-interactive --url \${GITLAB} --registration-token \${REG}
      --executor docker --docker-image "alpine:3" --tag-list 'a b,c'
`,
    '.env': `IMAGE='gitlab/gitlab-runner:v17.1.0'\nREG="${registrationToken}"\nGITLAB=https://gitlab.example.com # ours\n`,
    'docker-compose.override.yml': 'services: {}\n',
  });
  expect(answers).toMatchObject({
    runnerImage: 'gitlab/gitlab-runner:v17.1.0',
    gitlabUrl: 'https://gitlab.example.com',
    tags: ['a b', 'c'],
    extraHosts: ['gitlab.local:10.0.0.1'],
  });
  expect(runners[0]!.docker.image).toBe('alpine:3');
  for (const words of [
    'docker-compose.yml: env_file runner.env of runner was not read: it is not there, or may not be read',
    'docker-compose.yml: extends of runner: what it names was not read',
    'docker-compose.yml: include: what it names was not read',
    'docker-compose.yml: the variable GONE, which has to be set',
    'docker-compose.override.yml, which Compose reads too',
    'mounts of the container: runner-home:/home/gitlab-runner',
  ])
    expect(said).toContain(`- ${words}`);
  // What they say stands where they were put in.
  expect(said).not.toMatch(/(IMAGE|REG|GITLAB) of .env/);
  expect(JSON.stringify(texts) + said).not.toContain(registrationToken);
});

it('a script that installs becomes answers: where its output goes, and what it pipes, are no words of register', () => {
  const { answers, runners, said } = movedIn({
    'install.sh': `#!/usr/bin/env bash
set -euo pipefail
source .env
curl -L https://packages.example.com/script.deb.sh | sudo bash
if ! command -v gitlab-runner >/dev/null 2>&1; then
  sudo apt-get install -y gitlab-runner # it's the package
fi
cat <<EOF > /etc/gitlab-runner/template.toml
[[runners]]
  [runners.docker]
    # that's ours
    volumes = ["/cache"]
EOF
sudo gitlab-runner register \\
  --non-interactive \\
  --url "\${CI_URL:-https://gitlab.example.com}" \\
  --registration-token "\${REG:?}" --name builds --executor "docker" --docker-image 'ruby:2.7' \\
  --docker-volumes "/var/run/docker.sock:/var/run/docker.sock" --tag-list "docker,aws" \\
  --run-untagged --frobnicate --locked="false" 2>&1 | tee -a /var/log/reg.log || exit 1
sudo gitlab-runner verify && sudo systemctl restart gitlab-runner; echo done
`,
    '.env': `REG=${registrationToken}\n`,
  });
  expect(answers).toMatchObject({ description: 'builds', tags: ['docker', 'aws'], runUntagged: true });
  expect(runners[0]).not.toHaveProperty('frobnicate');
  expect(said.split('no place:\n')[1]).toBe(
    '  - install.sh: the config.toml in it. Save that as a file beside it\n  - install.sh: --frobnicate of register',
  );
});

it('runners of one script, of which only one says where GitLab is, are of that one', () => {
  const { runners, answers } = movedIn({
    'register.sh': `gitlab-runner register "$@" --name one --token ${runnerToken}\ngitlab-runner register --name two --url https://gitlab.example.com --token ${runnerToken}\n`,
  });
  expect(runners.map(({ name }) => name)).toEqual(['one', 'two']);
  expect(answers.gitlabUrl).toBe('https://gitlab.example.com');
});

describe('what is no runner of Docker', () => {
  it.each([
    [
      'values of the Helm chart',
      { 'values.yaml': `gitlabUrl: https://x\nrunnerToken: ${runnerToken}\n` },
      'values.yaml',
      'is of Kubernetes',
    ],
    ['the folder of these', { 'values.yaml': 'gitlabUrl: https://x\n' }, '', 'is of Kubernetes'],
    [
      'a manifest',
      { 'd.yaml': 'apiVersion: v1\nkind: Pod\n---\napiVersion: v1\n' },
      'd.yaml',
      'is of Kubernetes',
    ],
    ['an empty config.toml', { 'config.toml': '' }, '', 'config.toml is empty: nothing was registered'],
    ['one that was never registered', { 'config.toml': above[17] }, 'config.toml', 'has no [[runners]]'],
    ['a folder without anything', {}, '', 'holds nothing of a runner'],
  ])('is refused in a sentence: %s', (_, files, path, sentence) => {
    const attempt = () => movedIn(files as Record<string, string>, {}, path);
    expect(attempt).toThrow(sentence);
    expect(attempt).toThrow(/[Nn]othing was written/);
    expect(attempt).not.toThrow(runnerToken);
  });

  it('is refused in a sentence: a program', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'config'));
    writeFileSync(
      join(folder, 'config/config.toml'),
      Uint8Array.from({ length: 256 }, (_, at) => at),
    );
    expect(() => readOldRunner(folder)).toThrow('is not in UTF-8');
  });
});
