import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What GitLab's official chart has among its values, as read from it: paths with dots, and the defaults of some. */
export const chartFacts: {
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly read_by_templates: readonly string[];
  readonly optional_top_level: readonly string[];
} = JSON.parse(readFileSync(new URL('../facts/helm-chart-values.json', import.meta.url), 'utf8'));

type Tree = { [key: string]: Tree };

/** The paths that the chart knows, as a tree; what has no branches takes any value. */
const known: Tree = {};
for (const path of [
  ...Object.keys(chartFacts.defaults),
  ...chartFacts.read_by_templates,
  ...chartFacts.optional_top_level,
]) {
  let at = known;
  for (const part of path.split('.')) {
    at[part] ??= {};
    at = at[part];
  }
}

/** What the chart passes on whole, whatever is in it: a map of the user's, or an object of Kubernetes. */
const open = /^(podSecurityContext|securityContext|hpa|runners\.cache)$/;

/** The paths of values that the official chart does not know. */
export function unknownValues(values: object, tree = known, above = ''): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const path = `${above}${key}`;
    const its = tree[key];
    if (its === undefined) return [path];
    const isLeaf = Object.keys(its).length === 0 || open.test(path);
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isLeaf || !isMap ? [] : unknownValues(value, its, `${path}.`);
  });
}

/** The same as a JSON schema, by which Helm refuses values that the chart does not know. */
function schemaOf(tree: Tree, above = ''): object {
  const properties = Object.entries(tree).map(([key, its]) => {
    const path = `${above}${key}`;
    const isLeaf = Object.keys(its).length === 0 || open.test(path);
    return [key, isLeaf ? {} : schemaOf(its, `${path}.`)];
  });
  // Helm adds "global" itself.
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries([...properties, ...(above === '' ? [['global', {}]] : [])]),
  };
}

function defaultsAsTree(): object {
  const tree: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(chartFacts.defaults)) {
    const parts = path.split('.');
    let at = tree;
    for (const part of parts.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[parts.at(-1)!] = value;
  }
  return tree;
}

/** A folder with the stand-in of the official chart: its templates, with defaults and names of values from the facts. */
export function standInChart(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'chart-')), 'gitlab-runner');
  cpSync(fileURLToPath(new URL('chart', import.meta.url)), folder, { recursive: true });
  writeFileSync(join(folder, 'values.yaml'), JSON.stringify(defaultsAsTree(), null, 2));
  writeFileSync(join(folder, 'values.schema.json'), JSON.stringify(schemaOf(known), null, 2));
  return folder;
}
