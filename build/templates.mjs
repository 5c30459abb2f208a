import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ejs from 'ejs';

/** The functions of all EJS templates as a CommonJS module, which is where a `with` statement may stand. */
export function compiledTemplates(folder) {
  const paths = readdirSync(folder, { recursive: true }).filter(path => path.endsWith('.ejs'));
  const functions = paths.sort().map(path => {
    const filename = join(folder, path);
    const template = new ejs.Template(readFileSync(filename, 'utf8'), { compileDebug: false, filename });
    template.compile();
    return `${JSON.stringify(path)}: (locals, escapeFn, include) => {\n${template.source}}`;
  });
  return `// Compiled from templates/ by build/templates.mjs.
const functions = {
${functions.join(',\n')}
};
// Values go through the functions of quoting.ts, and none through EJS's own, which is for HTML.
const noHtml = () => { throw new Error('A template has a value by <%=.'); };
const run = (path, data) => functions[path](data, noHtml, (other, more) => run(other.slice(1), { ...data, ...more }));
exports.fill = (_, path, data) => (\`\${path}.ejs\` in functions ? run(\`\${path}.ejs\`, data) : undefined);
`;
}

/** Lets the bundle take those functions in the place of EJS. */
export const templatesOfBuild = {
  name: 'compiled-templates',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]generators[/\\]write[/\\]fill\.ts$/ }, () => ({
      contents: `import { createRequire } from 'node:module';
export const { fill } = createRequire(import.meta.url)('../templates.cjs');`,
    }));
  },
};
