import { expect, it } from 'vitest';
import { ownCommands } from '../../generators/ask/commands.ts';

const name = 'generator-gitlab-runner-docker';

it.each([
  ['as installed', `/usr/bin/${name}`, {}, name, `${name} --runner`],
  [
    'by npx',
    `/home/a/.npm/_npx/1/node_modules/.bin/${name}`,
    { npm_lifecycle_event: 'npx' },
    `npx ${name}`,
    `npx ${name} --runner`,
  ],
  [
    'by npm create',
    '/home/a/.npm/_npx/1/node_modules/.bin/create-gitlab-runner-docker',
    { npm_lifecycle_event: 'npx', npm_command: 'init' },
    'npm create gitlab-runner-docker',
    'npm create gitlab-runner-docker -- --runner',
  ],
  [
    'by npm create, where a package manager runs the file itself',
    '/tmp/dlx/node_modules/create-gitlab-runner-docker/index.js',
    {},
    'npm create gitlab-runner-docker',
    'npm create gitlab-runner-docker -- --runner',
  ],
  [
    'in a clone',
    `/home/a/clone/dist/bin/${name}.cjs`,
    { npm_lifecycle_event: 'scaffold', npm_package_name: name },
    'npm run scaffold --',
    'npm run scaffold -- --runner',
  ],
  [
    'by a script of the user',
    `/usr/bin/${name}`,
    { npm_lifecycle_event: 'scaffold', npm_package_name: 'mine' },
    name,
    `${name} --runner`,
  ],
])('the own command is named as it was called: %s', (_, program, environment, repository, runner) => {
  expect(ownCommands(program, environment)).toEqual({
    repository,
    runner,
    ci: runner.replace('--runner', '--ci'),
  });
});
