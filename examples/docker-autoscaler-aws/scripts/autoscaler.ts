// The instances on which jobs run: whether the runner can start them, by what it writes into its log.

import { existsSync, statSync } from 'node:fs';
import { type Check, compose, env, type Finding, lastLine, mask, root } from './host.ts';
import { explain, type Meanings } from './jobs.ts';
import { readConfig } from './runner.ts';

const rights = 'Give this host the rights that README.md names under "The instances"; then: make up';
const group = 'Correct [runners.autoscaler.plugin_config] in config/config.toml; then: make up';

/**
 * What the runner, its plugin and the cloud say. The words are those of the clouds' own libraries: aws-sdk-go-v2,
 * google-api-go-client, azure-sdk-for-go; of x/crypto/ssh; and of Docker.
 */
const troubles: Meanings = [
  [
    /Missing Region|MissingRegion/i,
    'failed',
    'AWS does not know the region',
    'Set AWS_REGION in .env; then: make up',
  ],
  [
    /no EC2 IMDS role|failed to (refresh cached|retrieve) credentials|default credentials|DefaultAzureCredential|ManagedIdentityCredential/i,
    'failed',
    'this host shows the cloud no credentials',
    rights,
  ],
  [
    /AccessDenied|UnauthorizedOperation|not authorized|AuthorizationFailed|Error 403|ExpiredToken|InvalidClientTokenId/i,
    'failed',
    'the cloud refuses what the runner asks',
    rights,
  ],
  [
    /above max value|exceeds the max/i,
    'failed',
    'the group allows fewer instances than max_instances',
    'Raise the greatest size of the group, or lower max_instances in config/config.toml.',
  ],
  [
    /group.*not found|ResourceNotFound|Error 404|AutoScalingGroup name/i,
    'failed',
    'there is no such group',
    group,
  ],
  [
    /quota|LimitExceeded|InsufficientInstanceCapacity|ZONE_RESOURCE_POOL_EXHAUSTED|AllocationFailed/i,
    'failed',
    'the cloud has no room for more instances',
    'Ask it for a higher quota, or lower max_instances in config/config.toml.',
  ],
  [
    /unable to authenticate|handshake failed|no supported methods/i,
    'failed',
    'instances do not let the runner in',
    'Check username (and config/ssh-key) against their image; see README.md.',
  ],
  [
    /dial tcp.*:22\b|:22: .*(timeout|refused)/i,
    'failed',
    'port 22 of instances does not answer',
    'Open it to this host; where they are in another network: use_external_addr = true',
  ],
  [
    /permission denied.*docker.*sock|Cannot connect to the Docker daemon|docker: (command )?not found/i,
    'failed',
    'instances have no Docker Engine for that user',
    'Their image needs Docker Engine, and the user of connector_config in the group docker.',
  ],
  [
    /plugin.*(not found|no such file)|fleeting install.*(fail|error)|registry\.gitlab\.com.*(timeout|refused|no such host)/i,
    'failed',
    'the plugin is not installed',
    'The container needs registry.gitlab.com when it starts: see "make logs".',
  ],
];

/** @param log what the runner wrote, the newest line last */
export function judgeLog(log: string): Finding {
  const lines = log.split('\n');
  const good = lines.findLastIndex(line =>
    /increasing instances response.*num_successful\W+[1-9]/.test(line),
  );
  const bad = lines.findLastIndex(
    line => /ERROR|FATAL|PANIC|\berr(or)?\W?[=:]/.test(line) && ofInstances.test(line),
  );
  if (bad <= good) {
    if (good >= 0) return ['ok', 'the cloud has started instances since the runner began'];
    return [
      'unknown',
      'no instance was started yet, so the cloud was not asked.',
      'Start a job, then look again.',
    ];
  }
  const said = shorten(lines[bad]!);
  const [verdict, detail, remedy = ''] = explain(lines[bad]!, troubles) ?? [];
  return verdict
    ? [verdict, `${detail}: ${said}`, remedy]
    : ['unknown', `the runner says: ${said}`, 'See: make logs'];
}

/** What is about instances, and not about single jobs or GitLab. */
const ofInstances = /taskscaler|fleeting|autoscal|instance|plugin/i;

/** A line of the log without what Compose and the runner put before it. */
const shorten = (line: string) => mask(line.replace(/^.*?\| */, '').trim()).slice(0, 300);

export const checks: Check[] = [
  {
    name: 'instances',
    needs: ['compose'],
    async run(run, note) {
      const [config] = readConfig();
      const of = (table: string, key: string) => config?.(key, `runners.autoscaler${table}`)[0] ?? '';
      if (of('', 'plugin').startsWith('aws') && env('AWS_REGION') === '')
        note('failed', 'AWS_REGION is not set.', 'Write the region of the group into .env; then: make up');
      if (of('.connector_config', 'key_path') !== '') {
        const key = new URL('config/ssh-key', root);
        const make =
          "ssh-keygen -t ed25519 -N '' -f config/ssh-key; its public half goes into the image of instances";
        if (!existsSync(key)) note('failed', 'there is no config/ssh-key.', make);
        else if ((statSync(key).mode & 0o077) !== 0)
          note('failed', 'others can read config/ssh-key.', 'Run: chmod 600 config/ssh-key');
      }
      const { status, stdout, stderr } = await compose(run, [
        'logs',
        '--no-color',
        '--tail',
        '2000',
        'runner',
      ]);
      if (status !== 0) return note('unknown', `the log of the runner: ${lastLine(stderr)}`);
      note(...judgeLog(stdout));
    },
  },
];
