import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { defaultFor, questions } from '../../generators/app/questions.ts';
import { scenarios } from '../support/answers.ts';
import { needs } from '../support/needs.ts';
import { hasGitLabCiLocal, listJobs } from '../support/own-tools.ts';
import { planWith, renderAll, run } from '../support/rendered.ts';

interface Job {
  script: string[];
  before_script: string[];
  stage: string;
  extends: string;
  variables: Record<string, string>;
}

describe.each(Object.entries(scenarios))('.gitlab-ci.yml with %s', (_, typed) => {
  const text = renderAll(typed)['.gitlab-ci.yml']!;
  const pipeline = parse(text, { version: '1.1' });

  it('reads the same as YAML 1.1, which GitLab reads, and as YAML 1.2', () => {
    expect(parse(text, { version: '1.2' })).toEqual(pipeline);
  });

  it('asks for the image and the tags of the answers', () => {
    const tags = questions.tags.check(typed.tags ?? questions.tags.default);
    const { services, ...ofJobs } = pipeline.default;
    expect(ofJobs).toEqual({
      image: typed.dockerImage ?? defaultFor('dockerImage', typed.builder ?? ''),
      ...(tags.length > 0 ? { tags } : {}),
    });
    const planned = planWith(typed).pipeline.services;
    expect(Boolean(services)).toBe(planned.length > 0);
    for (const [number, { image, alias, options }] of planned.entries()) {
      const { name, alias: called, command } = services[number];
      expect({ name, called }).toEqual({ name: image, called: alias });
      expect(command).toHaveLength(1);
      const words = command[0].split(' ');
      expect(words.slice(0, 2)).toEqual(['exec', 'dockerd-entrypoint.sh']);
      expect(words.slice(words.length - options.length)).toEqual(options);
    }
  });

  const jobs: Job[] = Object.values(pipeline);
  const commands = jobs.flatMap(({ script, before_script }) => [...(script ?? []), ...(before_script ?? [])]);

  it('has commands that are text, every one, which a shell can read', () => {
    expect(pipeline['.registry'].before_script.length).toBeGreaterThanOrEqual(2);
    for (const job of ['build', '.tag']) expect(pipeline[job].script.length, job).toBeGreaterThan(0);
    for (const command of commands) {
      expect(command).toBeTypeOf('string');
      expect(command.trim()).not.toBe('');
      expect(run('.', ['sh', '-n'], command), command).toEqual({ status: 0, stdout: '', stderr: '' });
    }
  });

  it('gives a password to nothing but standard input', () => {
    const before = pipeline['.registry'].before_script as string[];
    const program = typed.builder === 'buildah' ? 'buildah' : 'docker';
    if (typed.builder === 'buildkit' && typed.insecureRegistry) {
      // Here "docker login" cannot do it; the shell's own printf has no arguments that others could see.
      expect(before.at(-1)).toMatch(
        /\n {2}printf '%s:%s' "\$(CI_)?REGISTRY_USER" "\$(CI_)?REGISTRY_PASSWORD" \| base64 \|.*\n[\s\S]*\} >~\/\.docker\/config\.json\n$/,
      );
      return;
    }
    expect(before.at(-1)).toMatch(
      new RegExp(
        String.raw`^printf %s "\$(CI_)?REGISTRY_PASSWORD" \| ${program} login --username "\$(CI_)?REGISTRY_USER" --password-stdin "\$(CI_)?REGISTRY"$`,
      ),
    );
    // Beside that, a password is looked at once at most: whether there is any.
    const others = commands
      .filter(command => command !== before.at(-1))
      .join('\n')
      .replace('[ -z "$REGISTRY_PASSWORD" ]', '');
    expect(others).not.toMatch(/\$\{?(CI_)?REGISTRY_PASSWORD/);
    expect(others).not.toContain('login');
    expect(text.match(/\$(CI_)?REGISTRY_PASSWORD"? *\|/g)).toHaveLength(1);
  });

  it('sets or gets from GitLab every variable that it uses', () => {
    const own = Object.keys(pipeline.variables);
    const ofJobs = Object.values(pipeline as Record<string, Job>).flatMap(({ variables }) =>
      Object.keys(variables ?? {}),
    );
    const secrets = typed.registry ? ['REGISTRY_USER', 'REGISTRY_PASSWORD'] : [];
    const used = [...text.matchAll(/\$([A-Z_]+)/g)].map(([, name]) => name!);
    expect(
      used.filter(name => !name.startsWith('CI_') && ![...own, ...ofJobs, ...secrets].includes(name)),
    ).toEqual([]);
  });

  it('has a job in every stage, and a stage for every job', () => {
    const jobs = Object.entries(pipeline as Record<string, Job>).filter(
      ([name, job]) => job.extends && !name.startsWith('.'),
    );
    const stages = jobs.map(([, job]) => job.stage ?? pipeline[job.extends].stage);
    expect([...new Set(stages)]).toEqual(pipeline.stages);
  });
});

describe.skipIf(!needs(hasGitLabCiLocal, 'gitlab-ci-local in test/tools, and git'))(
  "GitLab's schema for pipelines, as gitlab-ci-local holds it",
  () => {
    it.each(Object.entries(scenarios))('accepts the pipeline with %s', async (_, typed) => {
      const { status, stdout, stderr } = await listJobs(renderAll(typed)['.gitlab-ci.yml']!);
      expect(status, stderr).toBe(0);
      expect(stderr).toContain('json schema validated');
      expect((JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)).toEqual(
        expect.arrayContaining(['build', 'tag branch', 'tag latest', 'tag version']),
      );
    });

    it('would refuse a key that GitLab does not know', async () => {
      const extra = '\nextra:\n  script: [echo]\n  stage: build\n  imagee: x\n';
      const { status, stderr } = await listJobs(renderAll()['.gitlab-ci.yml']! + extra);
      expect(status).toBe(1);
      expect(stderr).toContain('imagee');
    });
  },
);
