import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { marked, type Token, type Tokens } from 'marked';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ciQuestions } from '../../generators/ask/ci.ts';
import { readCommandLine, sources, switches } from '../../generators/ask/command-line.ts';
import { questions } from '../../generators/ask/questions.ts';
import { runnerQuestions } from '../../generators/ask/runners.ts';
import { scenarios } from '../support/answers.ts';
import examples from '../support/examples.json' with { type: 'json' };
import { movedIn } from '../support/move-in.ts';
import { renderAll } from '../support/rendered.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pagesBelow = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.md'))
    .map(path => join(folder, path));

const pages = ['README.md', 'CONTRIBUTING.md', ...pagesBelow('docs')].sort();
const errorPages = pages.filter(page => dirname(page) === 'docs/errors' && page !== 'docs/errors/index.md');

/** What any repository of the scenarios has, and what such a repository makes for itself, as .gitignore says. */
const rendered = [...Object.values(examples), ...Object.values(scenarios)].map(typed => renderAll(typed));
const written = new Set(
  rendered.flatMap(files => [
    ...Object.keys(files),
    ...files['.gitignore']!.split('\n').map(line => line.replace(/^\//, '')),
    'config/certs/ca.crt',
  ]),
);

function tokensOf(page: string): Token[] {
  const tokens: Token[] = [];
  marked.walkTokens(marked.lexer(read(page)), token => {
    tokens.push(token);
  });
  return tokens;
}

const ofType = <Type extends Tokens.Generic>(page: string, type: string) =>
  tokensOf(page).filter((token): token is Type => token.type === type);
const headings = (page: string) => ofType<Tokens.Heading>(page, 'heading').map(({ text }) => text);

/** The lines of the blocks in that language. */
const linesIn = (page: string, language: string) =>
  ofType<Tokens.Code>(page, 'code')
    .filter(({ lang }) => lang === language)
    .flatMap(({ text }) => text.split('\n'));

/** The anchor that GitLab, GitHub and static sites give to a heading of plain words. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s+/g, '-');

describe.each(pages)('%s', page => {
  it('has one title', () => {
    expect(ofType<Tokens.Heading>(page, 'heading').filter(({ depth }) => depth === 1)).toHaveLength(1);
  });

  it('links to files and headings that there are', () => {
    const links = [...ofType<Tokens.Link>(page, 'link'), ...ofType<Tokens.Image>(page, 'image')];
    for (const { href } of links.filter(({ href }) => !/^https?:/.test(href))) {
      const [path = '', heading] = href.split('#');
      const target = path === '' ? page : relative(root, join(root, dirname(page), path));
      expect(existsSync(join(root, target)), href).toBe(true);
      if (heading !== undefined) expect(headings(target).map(anchor), href).toContain(heading);
    }
  });

  it('shows commands that there are, with options that there are', () => {
    for (const line of linesIn(page, 'sh')) {
      const [command = ''] = line.trim().split(/\s+#\s/);
      expect(() => checkCommand(command), line).not.toThrow();
    }
  });

  it('names files that a repository, or this one, has', () => {
    const isPath =
      /^(?:(?:config|scripts|example|buildkit|docker|helm|k8s|prometheus|grafana|test|generators|templates|docs)\/[\w./-]+\.\w+|\.?[a-z][\w-]*\.(?:yml|json|toml|md))$/;
    const names = ofType<Tokens.Codespan>(page, 'codespan').map(({ text }) => text);
    const known = (path: string) =>
      written.has(path) ||
      existsSync(join(root, path)) ||
      [...written].some(one => one.endsWith(`/${path}`)) ||
      outside.includes(path);
    expect(names.filter(name => isPath.test(name) && !/NAME|PATH/.test(name) && !known(name))).toEqual([]);
  });
});

it.each([
  ['make docter', 'no Makefile has the target docter'],
  ['npx generator-gitlab-runner-docker my-runner --bulder dind', 'did you mean --builder?'],
  ['npx generator-gitlab-runner-docker my-runner --builder dnd', '--builder: '],
  ['npm create gitlab-runner-docker my-runner -- --concurrent none', '--concurrent: '],
  ['yo gitlab-runner-docker:ci ../my-app --monitoring', '--monitoring is for the repository'],
  ['npm run documents', 'package.json has no script documents'],
])('refuses %s in a page', (line, why) => {
  expect(() => checkCommand(line)).toThrow(why);
});

/** Files that are of a host, of a chart or of a run of the generator, and of no repository. */
const outside = [
  'daemon.json',
  'values.yaml',
  '.yo-rc.json',
  'main.tf',
  '.copier-answers.yml',
  'system.json',
];

/** How a command line of ours begins, and the option that stands for it where it is a door for `yo`. */
const beginnings: readonly (readonly [beginning: RegExp, option: string])[] = [
  [/^npx (--yes )?generator-gitlab-runner-docker\b/, ''],
  [/^npm create gitlab-runner-docker\b/, ''],
  [/^npm run scaffold --/, ''],
  [/^generator-gitlab-runner-docker\b/, ''],
  [/^yo gitlab-runner-docker:runner\b/, '--runner'],
  [/^yo gitlab-runner-docker:ci\b/, '--ci'],
  [/^yo gitlab-runner-docker\b/, ''],
];

/** @throws an error if a command of this package, or of a repository's Makefile, is not there or is refused */
function checkCommand(line: string): void {
  const [, target] = /^(?:\w+=\S+ )*make (.*)$/.exec(line) ?? [];
  if (target !== undefined) checkTarget(target.split(/\s+/));
  const [beginning, option = ''] = beginnings.find(([one]) => one.test(line)) ?? [];
  if (beginning !== undefined) {
    const rest = line.replace(beginning, option).replace(/(^| )-- /, '$1');
    checkOptions(rest.split(/\s+/).filter(word => word !== ''));
  }
  const [, script] = /^npm run (?:--\w+ )*([\w:]+)/.exec(line) ?? [];
  if (script !== undefined && !(script in JSON.parse(read('package.json')).scripts))
    throw new Error(`package.json has no script ${script}`);
}

function checkTarget(words: readonly string[]): void {
  for (const target of words.filter(word => !word.includes('=')))
    if (!rendered.some(({ Makefile }) => new RegExp(`^${target}:`, 'm').test(Makefile!)))
      throw new Error(`no Makefile has the target ${target}`);
}

/** Reads options as the command does. */
function checkOptions(words: readonly string[]): void {
  const [isRunner, isCi] = ['--runner', '--ci'].map(option => words.includes(option));
  const asked = isRunner ? runnerQuestions : isCi ? ciQuestions : questions;
  const types = {
    ...Object.fromEntries(
      Object.values(asked).map(({ option, yesNo }) => [option, yesNo ? 'boolean' : 'string'] as const),
    ),
    ...Object.fromEntries(
      [...Object.keys(sources), 'runner', 'ci', 'completion'].map(name => [name, 'string']),
    ),
    ...Object.fromEntries([...Object.keys(switches), 'print-answers'].map(name => [name, 'boolean'])),
  };
  const options = Object.fromEntries(
    Object.entries(types).map(([name, type]) => [name, { type: type as 'boolean' | 'string' }]),
  );
  if (words.some(word => /^--(help|version|completion)\b/.test(word))) return;
  const { values, positionals } = parseArgs({
    ...{ args: [...words], options, allowPositionals: true, allowNegative: true, strict: false },
  });
  const [what, args] = isRunner
    ? (['name', [values.runner]] as const)
    : isCi
      ? (['project', [values.ci]] as const)
      : (['directory', positionals] as const);
  readCommandLine<string>(asked, what, args, values, words);
}

const scripts = readdirSync(join(root, 'templates/scripts'))
  .filter(name => name.endsWith('.ts'))
  .map(name => ts.createSourceFile(name, read(`templates/scripts/${name}`), ts.ScriptTarget.Latest, true));

/** What a part of a script says, in the pieces between its placeholders. */
function fragmentsOf(part: ts.Node): string[] {
  const own =
    ts.isStringLiteralLike(part) || ts.isTemplateHead(part) || ts.isTemplateMiddleOrTemplateTail(part)
      ? part.text.split('\n').map(line => line.trim())
      : [];
  const inside: string[] = [];
  ts.forEachChild(part, child => void inside.push(...fragmentsOf(child)));
  return [...own.filter(one => one !== ''), ...inside];
}

const fragments = scripts.flatMap(fragmentsOf);

const titles: Readonly<Record<string, string>> = {
  ok: 'ok',
  warning: 'warning',
  failed: 'FAILED',
  unknown: 'cannot tell',
};

/** With which verdicts the scripts say a fragment, as far as one stands beside it. */
const verdictsOf = new Map<string, Set<string>>();
for (const script of scripts) noteVerdicts(script, constantsOf(script));

/** What the constants of a script say, by their names. */
function constantsOf(part: ts.Node): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      found.set(node.name.text, [...(found.get(node.name.text) ?? []), ...fragmentsOf(node.initializer)]);
    ts.forEachChild(node, visit);
  };
  visit(part);
  return found;
}

function noteVerdicts(node: ts.Node, constants: ReadonlyMap<string, readonly string[]>): void {
  const { verdict, detail } = findingIn(node);
  if (verdict !== undefined && detail !== undefined)
    for (const one of ts.isIdentifier(detail) ? (constants.get(detail.text) ?? []) : fragmentsOf(detail))
      verdictsOf.set(one, (verdictsOf.get(one) ?? new Set()).add(verdict));
  ts.forEachChild(node, child => noteVerdicts(child, constants));
}

/** What a part of a script finds, where it is the text after a verdict, or that of a failure. */
function findingIn(node: ts.Node): { verdict?: string | undefined; detail?: ts.Node | undefined } {
  if (ts.isNewExpression(node) && /Failure$/.test(node.expression.getText(node.getSourceFile())))
    return { verdict: titles.failed, detail: node.arguments?.[0] };
  const isCall = ts.isCallExpression(node);
  const parts = isCall ? node.arguments : ts.isArrayLiteralExpression(node) ? node.elements : [];
  const at = parts.findIndex(part => ts.isStringLiteral(part) && Object.hasOwn(titles, part.text));
  const part = parts[at];
  return part && ts.isStringLiteral(part) ? { verdict: titles[part.text], detail: parts[at + 1] } : {};
}

/** Whether a text is made of whole fragments, one after the other. */
function isSaid(text: string): boolean {
  const rest = text.trim();
  return rest === '' || fragments.some(one => rest.startsWith(one) && isSaid(rest.slice(one.length)));
}

describe('what pages quote of the scripts', () => {
  const quoted = pages.flatMap(page => linesIn(page, 'doctor').map(line => ({ page, line })));

  it.each(quoted)('$page: the scripts say "$line"', ({ line }) => {
    const [, verdict, check, sentence = line] =
      /^(ok|warning|FAILED|cannot tell) {2,}(\S.*?) {2,}(.*)$/.exec(line) ?? [];
    if (verdict !== undefined) expect(fragments).toEqual(expect.arrayContaining([verdict, check]));
    const [longest] = [...verdictsOf.keys()]
      .filter(one => one.length > 9 && sentence.includes(one))
      .sort((one, other) => other.length - one.length);
    if (verdict !== undefined && longest !== undefined)
      expect([...verdictsOf.get(longest)!], longest).toContain(verdict);
    expect(sentence.split('…').filter(piece => !isSaid(piece))).toEqual([]);
    expect(sentence.replaceAll('…', '')).toMatch(/\w{3}/);
  });

  it('finds nothing where a word of a sentence is changed', () => {
    expect(isSaid('is too old for the engine:')).toBe(true);
    expect(isSaid('is too old for an engine:')).toBe(false);
    expect([...verdictsOf.get('is too old for the engine')!]).toEqual(['FAILED']);
  });
});

describe('the pages of errors', () => {
  it.each(errorPages)('%s has the four chapters, in a page that is read in a minute', page => {
    expect(headings(page).slice(1)).toEqual([
      'Cause',
      'How to tell',
      'What the repository does about it',
      'Elsewhere',
    ]);
    expect(read(page).split('\n').length).toBeLessThanOrEqual(60);
  });

  it('are all listed, by their titles', () => {
    const index = ofType<Tokens.Link>('docs/errors/index.md', 'link').map(({ href, text }) => [href, text]);
    const listed = index.filter(([href]) => !href!.includes('/'));
    expect(listed).toEqual(errorPages.map(page => [page.replace('docs/errors/', ''), headings(page)[0]]));
  });
});

describe('docs/moving-in.md', () => {
  it('shows what a run says of the older runner that it shows', () => {
    const old = linesIn('docs/moving-in.md', 'toml').join('\n');
    const { said } = movedIn({ 'old/config.toml': old }, {}, 'old');
    const shown = linesIn('docs/moving-in.md', 'text');
    expect(shown.length).toBeGreaterThan(3);
    for (const line of shown) expect(said.replace('an older runner', '/srv/gitlab-runner')).toContain(line);
  });
});
