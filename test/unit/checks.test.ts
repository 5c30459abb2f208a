import { describe, expect, it } from 'vitest';
import {
  checkChoice,
  checkConcurrent,
  checkDescription,
  checkGitLabUrl,
  checkImage,
  checkRegistry,
  checkTags,
  checkYesNo,
} from '../../generators/common/checks.ts';
import { Refusal } from '../../generators/common/refusal.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

/** For each check: what is taken and what becomes of it, and what is refused and which words say so. */
const checks: Record<
  string,
  { check: (text: string) => unknown; taken: [string, unknown][]; refused: [string, RegExp][] }
> = {
  checkDescription: {
    check: checkDescription,
    taken: [
      ['My Docker Runner', 'My Docker Runner'],
      ['  outer spaces  ', 'outer spaces'],
      [`'"\\$\${{ # : <% -*&!%@`, `'"\\$\${{ # : <% -*&!%@`],
      ['👩‍👩‍👧 שלום', '👩‍👩‍👧 שלום'],
      ['👍'.repeat(255), '👍'.repeat(255)],
    ],
    refused: [
      ['', /must not be empty/],
      ['   ', /must not be empty/],
      ['two\nlines', /one line of visible text/],
      ['a\ttab', /one line of visible text/],
      ['\u001b[31mred', /one line of visible text/],
      ['\u202egnirts', /one line of visible text/],
      ['half an emoji \ud83d', /one line of visible text/],
      ['line\u2028separator', /one line of visible text/],
      ['👍'.repeat(256), /longer than 255/],
    ],
  },
  checkGitLabUrl: {
    check: checkGitLabUrl,
    taken: [
      ['https://gitlab.com', 'https://gitlab.com'],
      [' HTTPS://GitLab.Example.COM/ ', 'https://gitlab.example.com'],
      ['http://gitlab.local:8080/tools/gitlab///', 'http://gitlab.local:8080/tools/gitlab'],
      ['https://gitlab.com:443', 'https://gitlab.com'],
      ['http://[::1]:8080', 'http://[::1]:8080'],
      ['http://192.168.1.5', 'http://192.168.1.5'],
      ['https://bücher.example', 'https://xn--bcher-kva.example'],
      ['https://host/~team/a-b_c.d', 'https://host/~team/a-b_c.d'],
    ],
    refused: [
      ['', /must start with https:\/\//],
      ['gitlab.com', /must start with https:\/\//],
      ['ssh://gitlab.com', /must start with https:\/\//],
      ['https://', /not a valid address/],
      ['https://host:99999', /not a valid address/],
      ['https://a b', /not a valid address/],
      ['https://user:secret@gitlab.com', /user name or password/],
      ['https://gitlab.com/?x', /no \? and no #/],
      ['https://gitlab.com/#', /no \? and no #/],
      ['https://gitlab.com/$HOME', /only letters, digits/],
      ["https://gitlab.com/it's", /only letters, digits/],
      ['https://gitlab.com/a%20b', /only letters, digits/],
      ['https://git\nlab.com', /one line of visible text/],
      ['https://git\tlab.com', /one line of visible text/],
      [`https://gitlab.com/${'a'.repeat(1024)}`, /longer than 1024/],
    ],
  },
  checkTags: {
    check: checkTags,
    taken: [
      ['docker', ['docker']],
      [' docker , linux,,docker ', ['docker', 'linux']],
      ['', []],
      [',', []],
      ['on,1e3,~,x: y', ['on', '1e3', '~', 'x: y']],
      ['with space', ['with space']],
    ],
    refused: [
      ['$CI_TAG', /must not contain \$/],
      ['a\nb', /one line of visible text/],
      ['x'.repeat(256), /longer than 255/],
      [Array.from({ length: 51 }, (_, i) => `t${i}`).join(), /at most 50 tags/],
    ],
  },
  checkImage: {
    check: checkImage,
    taken: [
      ['docker:stable', 'docker:stable'],
      [' docker ', 'docker'],
      [
        'registry.example.com:5000/team/sub-group/app:v1.2',
        'registry.example.com:5000/team/sub-group/app:v1.2',
      ],
      [`docker@${digest}`, `docker@${digest}`],
      [`docker:cli@${digest}`, `docker:cli@${digest}`],
      ['[::1]:5000/app', '[::1]:5000/app'],
      ['a__b/c--d', 'a__b/c--d'],
    ],
    refused: [
      ['', /An image is written/],
      ['Docker', /lower case/],
      ['docker:', /An image is written/],
      ['docker:a:b', /An image is written/],
      ['-docker', /An image is written/],
      ['docker latest', /An image is written/],
      ['$IMAGE', /An image is written/],
      ['docker@sha256:123', /An image is written/],
      ['a'.repeat(256), /at most 255/],
      ['a'.repeat(100_000), /An image is written/],
    ],
  },
  checkRegistry: {
    check: checkRegistry,
    taken: [
      ['gitlab', 'gitlab'],
      ['registry.example.com', 'registry.example.com'],
      [' Registry.Example.com:5000/team/app/ ', 'registry.example.com:5000/team/app'],
      ['localhost', 'localhost'],
      ['localhost:5000', 'localhost:5000'],
      ['myhost:65535', 'myhost:65535'],
      ['10.0.0.1:5000', '10.0.0.1:5000'],
      ['[::1]:5000/team', '[::1]:5000/team'],
    ],
    refused: [
      ['', /The registry is "gitlab" or a host/],
      ['GitLab', /The registry is "gitlab" or a host/],
      ['myuser', /The registry is "gitlab" or a host/],
      ['https://registry.example.com', /without https:\/\//],
      ['registry.example.com/Team', /lower-case path/],
      ['registry.example.com//team', /lower-case path/],
      ['registry.example.com:', /The registry is "gitlab" or a host/],
      ['registry.example.com:65536', /The registry is "gitlab" or a host/],
      ['registry.example.com:5000:6000', /The registry is "gitlab" or a host/],
      ['registry.example.com/$TEAM', /lower-case path/],
      [`${'a'.repeat(200)}.example.com`, /longer than 200/],
    ],
  },
  checkConcurrent: {
    check: checkConcurrent,
    taken: [
      ['1', 1],
      [' 12 ', 12],
      ['99999', 99999],
    ],
    refused: ['', '0', '-1', '1.5', '1e3', '007', '0x10', '100000', 'two', '٣'].map(text => [
      text,
      /whole number from 1/,
    ]),
  },
  checkYesNo: {
    check: checkYesNo,
    taken: [
      ...['yes', 'Y', ' true '].map((text): [string, boolean] => [text, true]),
      ...['no', 'N', 'false'].map((text): [string, boolean] => [text, false]),
    ],
    refused: ['', 'maybe', '1', 'yes!'].map(text => [text, /Answer yes or no/]),
  },
  checkChoice: {
    check: text => checkChoice(['socket', 'other'], text),
    taken: [
      ['socket', 'socket'],
      [' other ', 'other'],
    ],
    refused: ['', 'Socket', 'sock', 'constructor'].map(text => [text, /Choose one of: socket, other/]),
  },
};

describe.each(Object.entries(checks))('%s', (_, { check, taken, refused }) => {
  it.each(taken)('takes %j', (text, value) => {
    expect(check(text)).toEqual(value);
  });

  it.each(refused)('refuses %j with a sentence that says why', (text, why) => {
    let refusal: unknown;
    try {
      check(text);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(Refusal);
    expect((refusal as Refusal).message).toMatch(why);
    expect((refusal as Refusal).message).toMatch(/^[A-Z].*\.$/);
  });

  it('takes a value that it returned itself, unchanged', () => {
    for (const [, value] of taken) expect(check(String(value))).toEqual(value);
  });
});

it('refuses a megabyte of any character in no time', () => {
  const started = performance.now();
  for (const { check } of Object.values(checks)) {
    for (const unit of ['a', '/', '-', '.', ',', '$', ' ', 'a/', 'https://a/']) {
      try {
        check(`https://a${unit.repeat(1_000_000)}!`);
        check(`${unit.repeat(1_000_000)}!`);
      } catch (error) {
        expect(error).toBeInstanceOf(Refusal);
      }
    }
  }
  expect(performance.now() - started).toBeLessThan(10_000);
});
