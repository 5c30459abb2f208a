/** Options of version 0.1.0 that there are no more, each with what there is instead. CHANGELOG.md says so too. */
export const goneOptions: Readonly<Record<string, string>> = {
  'pull-policy': 'edit pull_policy in config/config.toml instead',
  'cache-size': 'edit the sizes in buildkit/buildkitd.toml or docker/daemon.json instead',
  'dind-image':
    'edit the image of the engine instead, in docker-compose.yml, or in .gitlab-ci.yml and config/config.toml',
  backup: 'nothing is left that cannot be made again, but .env',
};

/** What is said of such an option; undefined of any other. */
export function whyGone(option: string): string | undefined {
  const instead = Object.hasOwn(goneOptions, option) ? goneOptions[option] : undefined;
  return instead && `is gone since version 0.1.0: ${instead}.`;
}
