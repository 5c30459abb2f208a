import { describe, expect, it } from 'vitest';
import { movedIn } from '../../support/move-in.ts';
import { runnerToken as token } from '../../support/tokens.ts';

const config = `[[runners]]\nname = "a"\nurl = "https://git.example.com"\ntoken = "${token}"\nexecutor = "docker"\n`;
const notRead = (files: Readonly<Record<string, string>>, path = '') =>
  movedIn(files, {}, path)
    .said.split('\n')
    .filter(line => line.startsWith('Not read'));

describe('of a folder, what was not read', () => {
  it('is named, each once: files, folders, and what lies beside a file that was read', () => {
    expect(
      notRead({
        'config/config.toml': config,
        'config/template.toml': '',
        'config/old/config.toml': config,
        'README.md': '',
        'backup/a.toml': '',
        Vagrantfile: '',
      }),
    ).toEqual([
      'Not read in that folder: README.md, Vagrantfile, backup/, config/old/, config/template.toml.',
    ]);
  });

  it('is no file that another one names, no .env and nothing of Git', () => {
    expect(
      notRead({
        'compose.yml':
          'services:\n  a:\n    image: gitlab/gitlab-runner\n    env_file: [ a.env, env/b.env ]\n    entrypoint: [ sh, /e ]\n    volumes: [ "./bin/e:/e", "./cfg:/etc/gitlab-runner" ]\n',
        'a.env': '',
        'env/b.env': '',
        'bin/e': 'exec gitlab-runner run',
        'cfg/config.toml': config,
        'cfg/certs/a.crt': '',
        '.env': '',
        '.git/config': '',
        'x.service': '[Service]\nExecStart=/usr/bin/gitlab-runner run --config ./cfg/config.toml',
        'x.service.d/a.conf': '[Service]\nEnvironment=A=b\n',
        'compose.override.yml': 'services: {}\n',
      }),
    ).toEqual([]);
  });

  it('is counted where it is much', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`file${at + 10}.txt`, '']));
    expect(notRead({ 'config.toml': config, ...many })).toEqual([
      'Not read in that folder: file10.txt, file11.txt, file12.txt, file13.txt, file14.txt, file15.txt and 24 others.',
    ]);
  });

  it('is not looked for where a file was named', () => {
    expect(notRead({ 'config.toml': config, 'README.md': '' }, 'config.toml')).toEqual([]);
  });

  it('has no token in its names', () => {
    const [line] = notRead({ 'config.toml': config, [`${token}.txt`]: '' });
    expect(line).toBe('Not read in that folder: ***.txt.');
  });

  it('is named in the refusal where nothing of a runner was read', () => {
    expect(() => movedIn({ 'playbook.yml': '- hosts: all\n', 'roles/x': '' })).toThrow(
      /holds nothing of a runner.*Not read: playbook.yml, roles\/\./,
    );
  });
});
