import { describe, expect, it } from 'vitest';
import { findDockerfiles, isDockerfile } from '../../../generators/ci/dockerfiles.ts';

const find = (files: Readonly<Record<string, string>>) =>
  findDockerfiles(Object.keys(files), path => files[path] ?? '');

describe('a Dockerfile', () => {
  it.each([
    'Dockerfile',
    'a/b/Dockerfile',
    'Dockerfile.dev',
    'docker/web.Dockerfile',
    'Containerfile',
    'web.dockerfile',
  ])('is %s', path => expect(isDockerfile(path)).toBe(true));

  it.each([
    'Dockerfile.dockerignore',
    'Dockerfile.j2',
    'docs/Dockerfile.md',
    '.devcontainer/Dockerfile',
    'node_modules/x/Dockerfile',
    'vendor/x/Dockerfile',
    'MyDockerfile',
    'dockerfiles/README',
  ])('is not %s', path => expect(isDockerfile(path)).toBe(false));
});

it.each([
  [['api/Dockerfile', 'Dockerfile.api', 'api.Dockerfile']],
  [['web.Dockerfile', 'Web.Dockerfile']],
  [['a/x/Dockerfile', 'b/x/Dockerfile']],
])('each of several Dockerfiles has an image of its own: %j', paths => {
  const names = find(Object.fromEntries(paths.map(path => [path, '']))).map(({ name }) => name);
  expect(new Set(names).size).toBe(paths.length);
});

describe('the build context', () => {
  it.each([
    [
      'its folder, where that has what it copies',
      'COPY package.json src/ /app/',
      ['api/package.json', 'api/src/x'],
      'api',
    ],
    ['the top level, where only that has it', 'COPY package.json /app/', ['package.json'], '.'],
    ['its folder, where it copies nothing', 'RUN true', ['package.json'], 'api'],
    ['its folder, where it copies all of it', 'COPY . .', ['package.json'], 'api'],
    [
      'the top level, where paths lead through its folder',
      'COPY --chown=1 ["api/src", "/app"]',
      ['api/src/x'],
      '.',
    ],
    [
      'its folder, where other stages and addresses are copied',
      'COPY --from=a /x /y\nADD https://x.org/y /',
      ['x'],
      'api',
    ],
    ['the top level, where a wildcard finds it only there', 'COPY \\\n  lib/*.jar /app/', ['lib/x.jar'], '.'],
    ['its folder, where neither has it', 'COPY target/x.jar /', ['pom.xml'], 'api'],
  ])('is %s', (_, text, others, context) => {
    const files = { 'api/Dockerfile': text, ...Object.fromEntries(others.map(path => [path, ''])) };
    expect(find(files)).toMatchObject([{ context }]);
  });
});

describe('names of images', () => {
  it('begin with no hyphen where two files say nothing that tells them apart', () => {
    const names = find({ Dockerfile: '', Containerfile: '' }).map(({ name }) => name);
    expect(names.sort()).toEqual(['', 'image-2']);
  });

  it('are those of folders that say what is built, where that tells them apart', () => {
    const paths = ['Dockerfile', 'docker/Dockerfile', 'docker/db.Dockerfile', 'web/docker/Dockerfile.dev'];
    const names = find(Object.fromEntries(paths.map(path => [path, '']))).map(({ name }) => name);
    expect(names).toEqual(['', 'docker', 'db', 'web-dev']);
  });

  it('are those of folders and files, in small letters, and longer where two would be the same', () => {
    const paths = [
      'Dockerfile',
      'Dockerfile.dev',
      'Web App/Dockerfile',
      'a/api/Dockerfile',
      'b/api/Dockerfile',
    ];
    const names = find(Object.fromEntries(paths.map(path => [path, '']))).map(({ name }) => name);
    expect(names).toEqual(['', 'dev', 'web-app', 'a-api', 'b-api']);
  });
});
