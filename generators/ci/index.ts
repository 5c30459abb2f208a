import { BaseGenerator, type Options } from '../base.ts';
import { ciDoor } from '../scaffold-ci.ts';

/** `yo gitlab-runner-docker:ci` */
export default class GitLabRunnerDockerCi extends BaseGenerator<keyof typeof ciDoor.questions> {
  constructor(args: string[], options: Options) {
    super(args, options, ciDoor);
  }
}
