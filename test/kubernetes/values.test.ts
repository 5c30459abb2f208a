import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { clusterScenarios } from '../support/answers.ts';
import { standInChart } from '../support/chart.ts';
import { planWith, renderAll, temporaryFolder } from '../support/rendered.ts';
import { must } from './support/programs.ts';

const chart = standInChart();
const folder = temporaryFolder();

/** What Helm makes of the values of a repository. */
async function template(texts: Record<string, string>, release: string, namespace: string): Promise<string> {
  const values = join(folder, `${namespace}.yaml`);
  writeFileSync(values, texts['helm/values.yaml']!);
  return must('helm', ['template', release, chart, '--namespace', namespace, '--values', values]);
}

describe.each(Object.entries(clusterScenarios))('%s', (name, typed) => {
  const namespace = `t${Object.keys(clusterScenarios).indexOf(name)}`;
  const answers = { ...typed, namespace };
  const texts = renderAll(answers);
  const { kubernetes, runners } = planWith(answers);
  const rendered = template(texts, kubernetes!.release, namespace);

  it('gives config.toml what the repository says, through the templates of Helm', async () => {
    const documents = parseAllDocuments(await rendered).map(one => one.toJS());
    const { data } = documents.find(one => one?.kind === 'ConfigMap');
    const config = parseToml(data['config.template.toml']) as {
      runners: [{ kubernetes: { image: string } }];
    };
    expect(config.runners).toHaveLength(1);
    expect(config.runners[0].kubernetes.image).toBe(runners[0].executor.image);
    const { concurrent } = parseToml(data['config.toml']);
    expect(concurrent).toBe(planWith(answers).concurrent);
    expect(data['config.template.toml']).not.toMatch(/^ *token *=/m);
  });

  it('is taken by a real API server, on trial and for good', async () => {
    await must('kubectl', ['create', '--validate=strict', '-f', '-'], {
      input: texts['k8s/namespace.yaml']!,
    });
    const all = await rendered;
    for (const trial of [['--dry-run=server'], []]) {
      const words = ['apply', '--validate=strict', '-n', namespace, ...trial, '-f', '-'];
      await must('kubectl', words, { input: all });
    }
    const deployment = JSON.parse(
      await must('kubectl', ['get', 'deployment', kubernetes!.release, '-n', namespace, '-o', 'json']),
    );
    const [runner] = deployment.spec.template.spec.containers;
    expect(runner.env).toContainEqual({
      name: 'RUNNER_NAME',
      // To Kubernetes $$ is a plain $.
      value: runners[0].description.replaceAll('$', '$$$$'),
    });
    expect(runner.lifecycle).toBeUndefined();
    expect(runner.image).toBe(planWith(answers).runnerImage);
    expect(parse(readFileSync(join(folder, `${namespace}.yaml`), 'utf8')).runners.secret).toMatch(/-token$/);
  });
});
