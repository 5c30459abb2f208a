import { marked, type Token, type Tokens } from 'marked';
import { describe, expect, it } from 'vitest';
import { allScenarios } from '../support/answers.ts';
import { pathsWith, planWith, renderAll } from '../support/rendered.ts';

/** Every token of a Markdown text, those inside others too. */
function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  marked.walkTokens(marked.lexer(text), token => {
    tokens.push(token);
  });
  return tokens;
}

/** The anchor that GitLab gives to a heading. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s+/g, '-');

describe('what README.md says to tell GitLab of a new runner', () => {
  it.each([
    [{}, 'give it the tags docker;'],
    [{ tags: ',' }, 'tick "Run untagged jobs";'],
    [{ runUntagged: 'yes' }, 'give it the tags docker, and tick "Run untagged jobs";'],
    [
      { runUntagged: 'yes', hardening: 'strict' },
      'give it the tags docker, and tick "Run untagged jobs" and "Protected";',
    ],
  ] as const)('is each tag, and what to tick, with %j', (typed, words) => {
    expect(renderAll(typed)['README.md']).toContain(`New runner. There ${words}\n`);
  });
});

it.each([
  ['aws', 'ci', ['grit', 'terraform-aws-gitlab-runner']],
  ['googlecloud', 'project/zone/ci', ['grit']],
  ['azure', 'id/group/ci', []],
])(
  'README.md names what makes a group of instances of %s, and nothing that is for another cloud',
  (cloud, instanceGroup, names) => {
    const text = renderAll({ executor: 'docker-autoscaler', cloud, instanceGroup })['README.md']!;
    const [, sentence = ''] = /The group is yours to make([\s\S]*?)These have to agree/.exec(text) ?? [];
    expect([...sentence.matchAll(/\]\(\S*\/([\w-]+)\)/g)].map(([, name]) => name)).toEqual(names);
  },
);

describe.each(Object.entries(allScenarios))('README.md with %s', (_, typed) => {
  const text = renderAll(typed)['README.md']!;
  const tokens = tokensOf(text);
  const links = tokens.filter((token): token is Tokens.Link => token.type === 'link').map(({ href }) => href);
  const headings = tokens.filter((token): token is Tokens.Heading => token.type === 'heading');

  it('has one title, the description of the runner', () => {
    const titles = headings.filter(({ depth }) => depth === 1);
    expect(titles).toHaveLength(1);
    expect(marked.parseInline(titles[0]!.text)).toBe(
      (typed.description ?? 'My Docker Runner').replace(/[&<>"']/g, sign => htmlEntities[sign]!),
    );
  });

  it('says where the sample pipeline pushes to', () => {
    const { isOfProject, image } = planWith(typed).runners[0].pipeline;
    expect(text).toContain(
      isOfProject
        ? '\nImages go to the container registry of the project, with the password that GitLab gives to each job.\n'
        : `\nImages go to \`${image}\`. `,
    );
  });

  it('links only to files of the repository, to its own headings, and to the web', () => {
    const paths = pathsWith(typed);
    const anchors = headings.map(({ text }) => anchor(text));
    for (const href of links) {
      if (href.startsWith('#')) expect(anchors).toContain(href.slice(1));
      else if (!/^https?:\/\//.test(href)) expect(paths, href).toContain(href.replace(/#.*$/, ''));
    }
  });

  it('says what each file is for, and of no other file', () => {
    const named = [
      ...text.matchAll(/`((?:scripts|docker|docker-proxy|buildkit|prometheus|grafana)\/[\w.-]+)`/g),
    ];
    expect(named.map(([, path]) => path).filter(path => !pathsWith(typed).includes(path!))).toEqual([]);
    for (const path of pathsWith(typed).filter(path => path !== 'README.md')) {
      expect(text, path).toContain(`\`${path}\``);
    }
  });

  it('has five steps to a first image, the last with what another registry needs before it', () => {
    const steps = tokens.filter((token): token is Tokens.List => token.type === 'list' && token.ordered);
    expect(steps.map(({ items }) => items.length)).toEqual([5]);
    const { isOfProject } = planWith(typed).runners[0].pipeline;
    expect(steps[0]!.items[4]!.text.includes('`REGISTRY_USER`')).toBe(!isOfProject);
  });

  it('has a language for every block of code', () => {
    for (const { lang, text } of tokens.filter((token): token is Tokens.Code => token.type === 'code')) {
      expect(lang, text).toMatch(/^\w+$/);
    }
  });

  it('names make targets that exist', () => {
    const commands = tokens.filter(({ type }) => type === 'codespan' || type === 'code');
    const named = commands.flatMap(({ raw }) =>
      [...raw.matchAll(/\bmake ([a-z]+)\b/g)].map(([, target]) => target!),
    );
    expect(named.length).toBeGreaterThan(0);
    const makefile = renderAll(typed).Makefile!;
    for (const target of new Set(named)) expect(makefile).toMatch(new RegExp(`^${target}:`, 'm'));
  });
});

const htmlEntities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
