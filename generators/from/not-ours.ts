import { Refusal } from '../ask/refusal.ts';

/** Words that docker's --format begins with, which templates of other programs share the braces with. */
const ofDocker =
  'json|range|end|else|if|with|index|join|len|println|printf|upper|lower|title|split|truncate|pad';
/** What Ansible, Salt, Puppet and the like fill in. */
const filledIn = [
  String.raw`\{\{-?\s*(?!(?:${ofDocker})\b)[a-z_][^{}\n]*\}\}`,
  String.raw`\{%[-+~]?\s*[a-z]\w*[^\n]*%\}`,
  String.raw`<%[-=]?\s*[@\w][^\n]*%>`,
  // Of Go, where no runner could have it.
  String.raw`^\s*-?\s*["']?(?:name|url|token|image|executor|concurrent)["']?\s*[:=].*\{\{`,
];
const template = new RegExp(filledIn.join('|'), 'im');

/** Why a text that looks like a file of a runner is none, in words; undefined where nothing speaks against it. */
export function whyNotOurs(text: string): string | undefined {
  if (template.test(text))
    return 'a template, and not what is made of it. Take that from the host of the runner';
  if (!/^(Listing configured runners\b|.*\bExecutor\S*=.*\bToken\S*=.*\bURL\S*=)/m.test(text))
    return undefined;
  const [, file = 'usually /etc/gitlab-runner/config.toml'] = /\bConfigFile[^=\s]*=(\S+)/.exec(text) ?? [];
  return `what "gitlab-runner list" shows. Name the config.toml that it was read from: ${file}`;
}

/** Whether a text of YAML is of Kubernetes: a manifest, or values of GitLab's chart, or of one that has it in it. */
export const isOfKubernetes = (text: string): boolean =>
  /^apiVersion:/m.test(text) || /^ {0,4}(gitlabUrl|runnerToken|runnerRegistrationToken):/m.test(text);

/** Why what is of Kubernetes does not come along. */
export const refusalOfKubernetes = (path: string): Refusal =>
  new Refusal(
    `${path} is of Kubernetes, where jobs are pods of a cluster, and --from takes over what runs jobs on a host. Answer the questions instead of it, for a cluster with --executor kubernetes, and give "make register" a token. Nothing was written.`,
  );
