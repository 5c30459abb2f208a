import { describe, expect, it } from 'vitest';
import { inForce } from '../../generators/ask/answers.ts';
import type { ConfigEntry } from '../../generators/plan/builder.ts';
import { planAutoscaler } from '../../generators/plan/executor.ts';
import { answersWith } from '../support/answers.ts';
import { pathsWith, planWith, renderAll } from '../support/rendered.ts';

const instances = { executor: 'docker-autoscaler' };
const autoscalerWith = (typed = {}) => planAutoscaler(answersWith({ ...instances, ...typed }))!;
const valuesOf = (entries: readonly ConfigEntry[]) =>
  Object.fromEntries(entries.map(({ key, value }) => [key, value]));

describe('planAutoscaler', () => {
  it('is for instances of a cloud alone', () => {
    expect(planAutoscaler(answersWith())).toBeUndefined();
  });

  // The names are those of the plugins' own documentation: https://gitlab.com/gitlab-org/fleeting/plugins
  it.each([
    ['aws', 'ci', { name: 'ci' }],
    ['googlecloud', 'team/zone-b/ci', { project: 'team', zone: 'zone-b', name: 'ci' }],
    ['azure', 'id/group/ci', { subscription_id: 'id', resource_group_name: 'group', name: 'ci' }],
  ])('names the group as the plugin of %s wants it', (cloud, instanceGroup, names) => {
    const { plugin, entries } = autoscalerWith({ cloud, instanceGroup });
    expect(valuesOf(plugin)).toEqual(names);
    expect(valuesOf(entries).plugin).toBe(`${cloud}:1`);
  });

  it.each([
    ['10', '1', 10],
    ['10', '4', 3],
    ['1', '4', 1],
  ])(
    'allows, for %s jobs with %s on each instance, as many instances as they fill: %i',
    (concurrent, instanceJobs, most) => {
      const { entries } = autoscalerWith({ concurrent, instanceJobs, instanceUses: '9' });
      expect(valuesOf(entries)).toMatchObject({
        max_instances: most,
        capacity_per_instance: Number(instanceJobs),
      });
    },
  );

  it('keeps instances for jobs in working hours, by the later of two policies, or none at all', () => {
    const [always, working, ...more] = autoscalerWith({ idleJobs: '3' }).policies.map(valuesOf);
    expect(more).toEqual([]);
    expect([always!.periods, always!.idle_count]).toEqual([undefined, 0]);
    expect(working).toMatchObject({ periods: ['* 8-17 * * mon-fri'], idle_count: 3 });
    expect(autoscalerWith({ idleJobs: '0' }).policies.map(valuesOf)).toEqual([always]);
  });

  it('has one key of AWS where the cache on S3 has one already', () => {
    const names = (typed: object) => autoscalerWith(typed).environment.map(({ name }) => name);
    expect(names({})).toEqual(['AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']);
    expect(names({ cache: 's3', cacheServer: 'https://s3.example.com' })).toEqual(['AWS_REGION']);
  });
});

describe('a repository whose jobs run on instances', () => {
  it('has no socket of this host in any container, no clean-up, and no way for jobs to this host', () => {
    const texts = renderAll({ ...instances, monitoring: 'yes' });
    expect(texts['docker-compose.yml']).not.toContain('docker.sock');
    expect(pathsWith(instances)).not.toContain('scripts/clean-up.sh');
    expect(planWith(instances).usesHostEngine).toBe(false);
  });

  it('installs the plugin before the runner starts, into a volume that a read-only container can write', () => {
    const compose = renderAll({ ...instances, hardening: 'strict' })['docker-compose.yml']!;
    expect(compose).toMatch(/entrypoint: .*fleeting install && exec \/entrypoint/);
    expect(compose).toMatch(
      /FLEETING_PLUGIN_PATH: \/plugins[\s\S]*- plugins:\/plugins[\s\S]*^ {2}plugins: \{\}/m,
    );
  });

  it('keeps the key of the instances out of git, where the cloud wants one', () => {
    const azure = { ...instances, cloud: 'azure', instanceGroup: 'id/group/ci' };
    expect(renderAll(azure)['.gitignore']).toContain('\n/config/ssh-key\n');
    expect(renderAll(instances)['.gitignore']).not.toContain('ssh-key');
  });

  it('says of nobody that they are root on this host', () => {
    expect(JSON.stringify(planWith(instances).threats)).not.toMatch(/root here|root on this host/);
  });
});

describe('inForce', () => {
  it('leaves out what an earlier run answered about this host, and brings it back with it', () => {
    const typed = { mirror: 'yes', cleanUp: '30', insecureRegistry: 'plain:5000', dockerNetwork: 'net' };
    const onInstances = inForce(answersWith({ ...typed, ...instances }));
    expect(onInstances).toMatchObject({ mirror: false, cleanUp: undefined, insecureRegistry: undefined });
    expect(onInstances.dockerNetwork).toBeUndefined();
    expect(inForce(answersWith(typed))).toEqual(answersWith(typed));
  });
});
