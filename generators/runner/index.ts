import { BaseGenerator, type Options } from '../base.ts';
import { runnerDoor } from '../scaffold-runner.ts';

/** `yo gitlab-runner-docker:runner` */
export default class GitLabRunnerDockerRunner extends BaseGenerator<keyof typeof runnerDoor.questions> {
  constructor(args: string[], options: Options) {
    super(args, options, runnerDoor);
  }
}
