import { describe, expect, it } from 'vitest';
import { Secrets } from '../../../generators/from/secrets.ts';
import { movedIn } from '../../support/move-in.ts';
import { registrationToken, runnerToken, runnerTokenOf } from '../../support/tokens.ts';

const plain = new Secrets([]);

describe('a secret inside another text', () => {
  it.each([
    ['a name', `runner ${runnerToken} of tor`, 'runner *** of tor'],
    ['a name with letters before it', `x_${runnerToken}`, 'x_***'],
    ['a registration token', `a ${registrationToken}!`, 'a ***!'],
    ['an account in an address', 'git clone https://me:hunter22@host/x', 'git clone https://***host/x'],
    ['a header', 'curl -H "Authorization: Bearer abc123def456" x', 'curl -H "Authorization: Bearer ***" x'],
    ['a field', '{"password": "hunter22"}', '{"password": "***"}'],
    ['an option', 'docker login --password hunter22 -u me', 'docker login --password *** -u me'],
    ['a key', 'a -----BEGIN KEY-----\nx\n-----END KEY-----\nb', 'a ***\nb'],
  ])('is found by its look: %s', (_, text, masked) => {
    expect(plain.holds(text)).toBe(true);
    expect(plain.masked(text)).toBe(masked);
  });

  it.each([
    'global-settings-of-all',
    'basic authentication',
    'the token is missing',
    'password=$PASSWORD',
    'token: /run/secrets/token',
    'docker:stable',
    'https://gitlab.example.com:8443/x',
    'echo "a@b" http://host/path@2',
  ])('is none: %s', text => {
    expect(plain.holds(text)).toBe(false);
  });

  it('is found where it is known from elsewhere, whatever it looks like', () => {
    const secrets = new Secrets(['oldTokenOf20Letters.'], {
      DB_PASSWORD: 'k3yOf12orMore',
      API_TOKEN: 'short',
    });
    expect(secrets.masked('a oldTokenOf20Letters.b k3yOf12orMore short')).toBe('a ***b *** short');
  });
});

it('a secret comes from nowhere into a file in Git, or into a message', () => {
  const hidden = runnerTokenOf('hidden');
  const old = 'xYzAbCdEfGhIjKlMnOpQ';
  const { texts, said, runners, answers } = movedIn({
    'config.toml': `[[runners]]
  name = "tor ${hidden}"
  url = "https://me:hunter22@gitlab.example.com/"
  token = "${old}"
  executor = "docker"
  environment = ["A=${hidden}", "B=x${old}y", "C=https://me:hunter22@git.example.com", "D=4"]
  pre_build_script = "curl -H 'PRIVATE-TOKEN: ${hidden}' x"
  [runners.docker]
    image = "registry.example.com/${hidden.toLowerCase()}:1"
    volumes = ["/var/run/docker.sock:/var/run/docker.sock", "/srv/${hidden}:/x"]
    [runners.docker.sysctls]
      "${hidden}" = "1"
[[runners]]
  name = "second ${hidden}"
  url = "https://gitlab.example.com"
  token = "${runnerToken}"
  executor = "shell"
[[runners]]
  name = "third ${hidden}"
  url = "https://gitlab.example.com"
  token = "${runnerToken}"
  executor = "docker"
`,
    'docker-compose.yml': `services:
  runner:
    image: gitlab/gitlab-runner
    volumes: ["/srv/${hidden}:/y"]
    extra_hosts: ["${hidden}:10.0.0.1"]
`,
    'register.sh': `gitlab-runner register --url https://gitlab.example.com --tag-list a,${hidden} --name nobody-${hidden}\n`,
  });
  for (const secret of [hidden, hidden.toLowerCase(), old, 'hunter22', runnerToken])
    expect(JSON.stringify([texts, said, answers])).not.toContain(secret);
  expect(runners.map(({ name }) => name)).toEqual(['tor ***', 'third']);
  expect(runners[0]!.environment).toEqual(['D=4']);
  expect(answers.gitlabUrl).toBe('https://gitlab.example.com');
  for (const name of [
    'environment A',
    'environment B',
    'environment C',
    'pre_build_script',
    'docker.image',
    'docker.volumes',
    'docker.sysctls.a key',
  ])
    expect(said).toContain(`- ${name} of config.toml: a secret, which may not be in Git`);
  expect(said).toContain('A secret was in the name of a runner: it is "tor ***" now.');
  expect(said).toContain("- the user and password in GitLab's address");
  expect(said).toContain('Secrets that jobs need are for the CI/CD variables of GitLab.');
});

describe('what newcomers tried: none of it comes into config.toml, and each is named', () => {
  const runner = (more: string) => `[[runners]]
  name = "old"
  url = "https://gitlab.example.com"
  executor = "docker"
${more}
  [runners.docker]
    image = "docker:cli"
    volumes = ["/var/run/docker.sock:/var/run/docker.sock"]
`;
  const secret = 'wJalrXUtnFEMI/K7MDENG';
  it.each([
    [
      'a key of Docker Machine',
      `  [runners.machine]\n    MachineOptions = ["amazonec2-region=eu", "amazonec2-secret-key=${secret}"]`,
    ],
    ['a variable that is a password by its name', `  environment = ["NPM_AUTH=${secret}", "A=1"]`],
    ['a passphrase', `  environment = ["PASSPHRASE=${secret}"]`],
    ['a word that ends so', `  environment = ["MYPW=${secret}"]`],
    ['an address of a hook', `  environment = ["HOOK=https://hooks.slack.com/services/${secret}"]`],
    ['a password of a program', `  post_build_script = "mysql -u root -p${secret} -e 1"`],
    [
      'a word after its option',
      `  [[runners.docker.services]]\n    name = "x"\n    command = ["--password", "${secret}"]`,
    ],
  ])('%s', (_, more) => {
    const isService = more.includes('services]]');
    const text = isService ? runner('') + more : runner(more);
    const { texts, said } = movedIn({ 'config.toml': text });
    expect(JSON.stringify(texts) + said).not.toContain(secret.slice(0, 10));
    expect(said).toContain('a secret, which may not be in Git');
  });

  it('leaves no empty list where each entry was a secret, and keeps the rest of a list of variables', () => {
    const { texts } = movedIn({ 'config.toml': runner(`  environment = ["A_TOKEN=${secret}"]`) });
    expect(texts['config/config.toml']).not.toContain('environment');
    const both = movedIn({ 'config.toml': runner(`  environment = ["A_TOKEN=${secret}", "B=1"]`) });
    expect(both.texts['config/config.toml']).toContain('environment = ["B=1"]');
  });
});
