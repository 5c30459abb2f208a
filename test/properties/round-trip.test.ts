import { parseEnv } from 'node:util';
import fc from 'fast-check';
import { marked, type Token, type Tokens } from 'marked';
import ts from 'typescript';
import { describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { files } from '../../generators/app/files.ts';
import { planRepository, type RunnerRepository } from '../../generators/app/plan.ts';
import { type Answers, completeAnswers } from '../../generators/app/questions.ts';
import { render } from '../../generators/app/render.ts';
import { acceptedAnswers } from '../support/arbitrary-answers.ts';
import { needs } from '../support/needs.ts';
import { isInstalled, run } from '../support/rendered.ts';

// Thousands of cases; a busy machine takes its time for them.
vi.setConfig({ testTimeout: 120_000 });

const fileOf = (path: string) => files.find(file => file.path === path)!;

/** Renders one file for many random answers, and hands its text over with what it was made of. */
function forMany(
  path: string,
  runs: number,
  look: (text: string, answers: Answers, repository: RunnerRepository) => void,
): void {
  const file = fileOf(path);
  fc.assert(
    fc.property(acceptedAnswers, typed => {
      const answers = completeAnswers(typed);
      const repository = planRepository(answers, 'my-runner');
      look(render(file, repository), answers, repository);
    }),
    { numRuns: runs },
  );
}

it('every file that shows answers is read back below', () => {
  expect(files.filter(({ data }) => data).map(({ path }) => path)).toEqual([
    '.env.example',
    '.gitlab-ci.yml',
    'README.md',
    'docker-compose.yml',
    'scripts/settings.ts',
  ]);
});

/** What of the answers a pipeline shows. */
const shownInPipeline = (pipeline: Record<string, unknown>) => ({
  default: pipeline.default,
  variables: pipeline.variables,
  sections: Object.keys(pipeline),
});

const expectedPipeline = (answers: Answers, repository: RunnerRepository) => ({
  default: { image: answers.dockerImage, ...(answers.tags.length > 0 ? { tags: answers.tags } : {}) },
  variables: expect.objectContaining(
    Object.fromEntries(repository.pipeline.variables.map(({ name, value }) => [name, value])),
  ),
  sections: [
    'stages',
    'default',
    'variables',
    'workflow',
    '.registry',
    'build',
    '.tag',
    'tag branch',
    'tag latest',
    'tag version',
  ],
});

describe('random answers come back from', () => {
  it('.gitlab-ci.yml, read as YAML 1.1 and 1.2', () => {
    forMany('.gitlab-ci.yml', 400, (text, answers, repository) => {
      for (const version of ['1.1', '1.2'] as const) {
        expect(shownInPipeline(parse(text, { version }))).toEqual(expectedPipeline(answers, repository));
      }
    });
  });

  it('docker-compose.yml, read as YAML 1.1 and 1.2', () => {
    forMany('docker-compose.yml', 400, (text, { runnerImage }) => {
      for (const version of ['1.1', '1.2'] as const) {
        const compose = parse(text, { version });
        expect(compose.services.runner.image).toBe(runnerImage);
        expect([Object.keys(compose), Object.keys(compose.services)]).toEqual([['services'], ['runner']]);
      }
    });
  });

  it('scripts/settings.ts, compiled and run', () => {
    const modules: string[] = [];
    const expected: object[] = [];
    forMany('scripts/settings.ts', 1500, (text, answers, { executor, runUntagged }) => {
      modules.push(text);
      const { description, tags, concurrent } = answers;
      expected.push({
        runner: expect.objectContaining({ description, tags, runUntagged }),
        concurrent,
        executor,
      });
    });
    // All in one module, each in a function of its own: the compiler needs its time for every module.
    const functions = modules.map(
      text => `() => {\n${text.replace(/^export /gm, '')}\nreturn { runner, concurrent, executor };\n}`,
    );
    const { outputText } = ts.transpileModule(`(() => [${functions.join(',\n')}])()`, {});
    const settings = new Function(`return ${outputText}`)() as (() => object)[];
    expect(settings.map(read => read())).toEqual(expected);
  });

  it('.env.example, read as a dotenv file', () => {
    forMany('.env.example', 2000, (text, { gitlabUrl }) => {
      expect(parseEnv(text)).toMatchObject({ GITLAB_URL: gitlabUrl, COMPOSE_PROJECT_NAME: 'my-runner' });
    });
  });

  it('.env.example, read by a shell', () => {
    const urls: string[] = [];
    const assignments: string[] = [];
    forMany('.env.example', 1000, (text, { gitlabUrl }) => {
      urls.push(gitlabUrl);
      assignments.push(text.split('\n').find(line => line.startsWith('GITLAB_URL='))!);
    });
    const script = assignments.map(line => `${line}\nprintf '%s\\n' "$GITLAB_URL"`).join('\n');
    const { stdout, stderr } = run('.', ['sh', '-eu'], script);
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(0, -1)).toEqual(urls);
  });

  it('README.md, read as Markdown', () => {
    forMany('README.md', 500, (text, answers, { executor }) => {
      const tokens = marked.lexer(text);
      const [title, about] = tokens.filter(({ type }) => type !== 'space') as [
        Tokens.Heading,
        Tokens.Paragraph,
      ];
      expect(title).toMatchObject({ type: 'heading', depth: 1 });
      expect(textOf(title.tokens)).toBe(answers.description);
      expect(about.tokens.filter(isLink).map(({ href }) => href)).toEqual([answers.gitlabUrl]);
      const paragraph = textOf(about.tokens.filter(token => !isLink(token)));
      expect(paragraph).toContain(` up to ${answers.concurrent} jobs at a time`);
      if (answers.tags.length > 0) expect(paragraph).toContain(`: ${answers.tags.join(', ')}.\n`);
      const code: string[] = [];
      marked.walkTokens(tokens, token => {
        if (token.type === 'codespan') code.push(token.text);
      });
      expect(code).toEqual(expect.arrayContaining([answers.runnerImage, executor.image]));
    });
  });
});

function isLink(token: Token): token is Tokens.Link {
  return token.type === 'link';
}

/** The text that a reader sees; fails on any mark-up. */
function textOf(tokens: Token[]): string {
  return tokens
    .map(token => {
      expect(['text', 'escape']).toContain(token.type);
      return 'text' in token ? String(token.text) : '';
    })
    .join('');
}

describe.skipIf(!needs(isInstalled('ruby', '-rpsych', '-e', ''), 'ruby, whose YAML reader GitLab uses'))(
  "random answers come back from GitLab's own YAML reader",
  () => {
    it('as they were in .gitlab-ci.yml', () => {
      const expected: unknown[] = [];
      const texts: string[] = [];
      forMany('.gitlab-ci.yml', 1500, (text, answers, repository) => {
        texts.push(text);
        expected.push(expectedPipeline(answers, repository));
      });
      const program =
        'require "psych"; require "json"; puts JSON.parse(STDIN.read).map { |text| Psych.safe_load(text) }.to_json';
      const { stdout, stderr } = run('.', ['ruby', '-e', program], JSON.stringify(texts));
      expect(stderr).toBe('');
      expect((JSON.parse(stdout) as Record<string, unknown>[]).map(shownInPipeline)).toEqual(expected);
    });
  },
);
