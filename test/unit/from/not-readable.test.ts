import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readOldRunner } from '../../../generators/from/old-runner.ts';
import { asNobody } from '../../support/nobody.ts';
import { run, temporaryFolder } from '../../support/rendered.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const config = `[[runners]]\nname = "there"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`;
const isRoot = process.getuid?.() === 0;

/** Files in a folder that others may read, but for those whose paths are closed to them. */
function folderWith(
  files: Readonly<Record<string, string | Uint8Array>>,
  ...closed: readonly string[]
): string {
  const folder = join(temporaryFolder(), 'an old one');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  chmodSync(dirname(folder), 0o755);
  for (const name of closed) chmodSync(join(folder, name), 0o000);
  return folder;
}

const read = (path: string) => asNobody(() => readOldRunner(path));

function refusalOf(path: string): string {
  try {
    read(path);
  } catch (error) {
    expect((error as Error).name).toBe('Refusal');
    return (error as Error).message;
  }
  throw new Error('It was read.');
}

/** Runs what a message has in lines of its own, in a folder, by somebody who is root. */
function runIndented(message: string, folder: string) {
  const lines = message.split('\n').filter(line => line.startsWith('  '));
  expect(lines).toHaveLength(1);
  return run(folder, ['sh', '-euc', `sudo() { "$@"; }\n${lines.join('\n')}`]);
}

describe('what may not be read', () => {
  it.each([
    ['a config.toml, in a folder that is open', 'config.toml', ['config.toml']],
    ['a config.toml, in a folder that is not', 'config.toml', ['config.toml', '']],
    ['a script', 'register.sh', ['register.sh']],
  ])('is copied by the command that the refusal has: %s', (_, name, closed) => {
    const folder = folderWith({ [name]: config }, ...closed);
    const message = refusalOf(join(folder, name));
    expect(message).toContain(`${join(folder, name)} may not be read by you, and may hold a token.`);
    expect(message).toContain(`--from ${name}`);
    expect(message).toContain('Nothing was written.');
    expect(message).not.toContain(token);
    if (!isRoot) return;
    const here = temporaryFolder();
    expect(runIndented(message, here)).toMatchObject({ status: 0 });
    expect(readFileSync(join(here, name), 'utf8')).toBe(config);
    expect(statSync(join(here, name)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['its config.toml', ['config/config.toml']],
    ['the folder of that', ['config']],
    ['the folder itself', ['']],
    ['its .env', ['.env']],
    ['a script in it', ['up.sh']],
    ['the drop-ins of a unit', ['a.service.d']],
  ])('is copied with its folder: %s', (_, closed) => {
    const files = {
      'config/config.toml': config,
      'docker-compose.yml': 'services: {}\n',
      '.env': '',
      'up.sh': '',
      'a.service': '[Service]\n',
      'a.service.d/a.conf': '[Service]\n',
    };
    const folder = folderWith(files, ...closed);
    const message = refusalOf(folder);
    expect(message).toContain(join(folder, closed[0]!));
    expect(message).toContain('--from older-runner');
    if (!isRoot) return;
    const here = temporaryFolder();
    expect(runIndented(message, here)).toMatchObject({ status: 0 });
    expect(readFileSync(join(here, 'older-runner/config/config.toml'), 'utf8')).toBe(config);
  });

  it('is copied also where the folder was named by a link', () => {
    const folder = folderWith({ 'config.toml': config }, 'config.toml');
    const link = join(folder, '../link');
    symlinkSync(folder, link);
    const message = refusalOf(link);
    if (!isRoot) return;
    const here = temporaryFolder();
    expect(runIndented(message, here)).toMatchObject({ status: 0 });
    expect(lstatSync(join(here, 'older-runner')).isDirectory()).toBe(true);
    expect(readFileSync(join(here, 'older-runner/config.toml'), 'utf8')).toBe(config);
  });

  it('is copied with what was named, where it is a file beside that', () => {
    const compose = 'services:\n  runner:\n    image: gitlab/gitlab-runner:$VERSION\n';
    const folder = folderWith({ 'docker-compose.yml': compose, '.env': 'VERSION=v17\n' }, '.env');
    const message = refusalOf(join(folder, 'docker-compose.yml'));
    expect(message).toContain('--from older-runner/docker-compose.yml');
    if (!isRoot) return;
    const here = temporaryFolder();
    expect(runIndented(message, here)).toMatchObject({ status: 0 });
    const { answers } = readOldRunner(join(here, 'older-runner/docker-compose.yml'));
    expect(answers.runnerImage).toBe('gitlab/gitlab-runner:v17');
  });

  it('is no obstacle where it may be passed through: what is known by its name is read', () => {
    const folder = folderWith({ 'config.toml': config, 'up.sh': '' });
    chmodSync(folder, 0o711);
    const { answers, hints } = read(folder);
    expect(answers.description).toBe('there');
    expect(hints).toContain(`What else is in ${folder} may not be listed by you, so it was not read.`);
  });

  it('is named with the command where a container mounts it', () => {
    const compose =
      'services:\n  runner:\n    image: gitlab/gitlab-runner\n    volumes: [ "./a b:/etc/gitlab-runner" ]\n';
    const folder = folderWith(
      { 'docker-compose.yml': compose, 'a b/config.toml': config },
      'a b/config.toml',
    );
    const { hints, answers } = read(folder);
    expect(answers.description).toBeUndefined();
    const hint = hints.find(text => text.includes('config.toml'))!;
    expect(hint).toContain(`Its config.toml, ${join(folder, 'a b/config.toml')}, may not be read by you`);
    if (!isRoot) return;
    expect(runIndented(hint, temporaryFolder())).toMatchObject({ status: 0 });
    expect(readOldRunner(folder).answers.description).toBe('there');
  });

  it('are certificates beside a config.toml, which are named', () => {
    const folder = folderWith({ 'config.toml': config, 'certs/a.crt': '' }, 'certs');
    expect(read(folder).hints).toContain(
      `What is in ${join(folder, 'certs')} may not be listed by you: if the certificate of an authority is there, copy it to config/certs/ca.crt.`,
    );
  });
});

describe('a path', () => {
  it('that is a link is followed, and one that leads nowhere is refused', () => {
    const folder = folderWith({ 'real.toml': config });
    symlinkSync('real.toml', join(folder, 'config.toml'));
    expect(readOldRunner(join(folder, 'config.toml')).answers.description).toBe('there');
    expect(readOldRunner(folder).answers.description).toBe('there');
    const other = folderWith({ 'README.md': '' });
    symlinkSync('/nowhere/config.toml', join(other, 'config.toml'));
    const sentence = `${join(other, 'config.toml')} is a symbolic link to /nowhere/config.toml, which is not there. Nothing was written.`;
    expect(refusalOf(join(other, 'config.toml'))).toBe(sentence);
    expect(refusalOf(other)).toBe(sentence);
    symlinkSync('loop', join(other, 'loop'));
    expect(refusalOf(join(other, 'loop'))).toContain('is a symbolic link to loop');
  });

  it('below a file, and one that is no file, are refused', () => {
    const folder = folderWith({ 'config.toml': config });
    expect(refusalOf(join(folder, 'config.toml/x'))).toContain('There is no ');
    expect(refusalOf('/dev/zero')).toBe('/dev/zero is neither a file nor a folder. Nothing was written.');
  });

  it.each([
    ['UTF-16, as PowerShell writes it', `\ufeff${config}`, 'utf16le', 'is in UTF-16'],
    ['Latin-1', config.replace('there', 'für'), 'latin1', 'is not in UTF-8'],
  ] as const)(
    'of a text that is in %s is refused with the command that converts it',
    (_, text, encoding, why) => {
      const folder = folderWith({ 'config.toml': Buffer.from(text, encoding) });
      const message = refusalOf(folder);
      expect(message).toContain(`${join(folder, 'config.toml')} ${why}`);
      const here = temporaryFolder();
      expect(runIndented(message, here)).toMatchObject({ status: 0 });
      expect(readOldRunner(join(here, 'config.toml')).answers.description).toMatch(/there|für/);
    },
  );

  it('of a config.toml by another name is read as one', () => {
    const folder = folderWith({ 'runner.bak': config });
    expect(readOldRunner(join(folder, 'runner.bak')).answers.description).toBe('there');
  });
});

it.each([
  ['empty', '', 'is empty'],
  ['blank', ' \n', 'is empty'],
  ['one that was never registered', 'concurrent = 1\n', 'has no [[runners]]: nothing was registered there.'],
])('a config.toml that is %s is refused, with what can be done', (_, text, sentence) => {
  const message = refusalOf(folderWith({ 'config.toml': text }));
  expect(message).toContain(sentence);
  expect(message).toContain('Without --from a new runner is made, and "make register" registers it.');
});
