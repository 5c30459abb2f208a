import { BaseGenerator, type Options } from '../base.ts';
import { repositoryDoor } from '../scaffold-repository.ts';

/** `yo gitlab-runner-docker` */
export default class GitLabRunnerDocker extends BaseGenerator<keyof typeof repositoryDoor.questions> {
  constructor(args: string[], options: Options) {
    super(args, options, repositoryDoor);
  }
}
