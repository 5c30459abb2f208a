import { basename } from 'node:path';

/** How whoever runs this would call it again: what follows is a folder, a name, and the folder of a project. */
export interface Commands {
  readonly repository: string;
  readonly runner: string;
  readonly ci: string;
}

export const yeomanCommands: Commands = {
  repository: 'yo gitlab-runner-docker',
  runner: 'yo gitlab-runner-docker:runner',
  ci: 'yo gitlab-runner-docker:ci',
};

/**
 * The same where the own command was called, as it was.
 *
 * @param program the path of the program that Node.js runs
 * @param environment of that process
 */
export function ownCommands(program: string, environment: NodeJS.ProcessEnv): Commands {
  const { npm_lifecycle_event: script, npm_package_name: ofPackage } = environment;
  const name = 'generator-gitlab-runner-docker';
  const isOfClone = script === 'scaffold' && ofPackage === name;
  const isCreate =
    basename(program).startsWith('create-') || program.includes('/create-gitlab-runner-docker/');
  const command = isOfClone
    ? 'npm run scaffold --'
    : isCreate
      ? 'npm create gitlab-runner-docker'
      : script === 'npx'
        ? `npx ${name}`
        : name;
  // What stands behind two dashes is not npm's.
  const options = isCreate && !isOfClone ? `${command} --` : command;
  return { repository: command, runner: `${options} --runner`, ci: `${options} --ci` };
}
