import { describe, expect, it } from 'vitest';
import {
  checkBucket,
  checkBuilder,
  checkCacheServer,
  checkChoice,
  checkCleanUp,
  checkConcurrent,
  checkDescription,
  checkDockerNetwork,
  checkExtraHosts,
  checkGitLabUrl,
  checkHosts,
  checkImage,
  checkInsecureRegistry,
  checkPlatforms,
  checkProxy,
  checkRegistry,
  checkTags,
  checkYesNo,
} from '../../generators/ask/checks.ts';
import { type AnswerName, asTyped, questions } from '../../generators/ask/questions.ts';
import { Refusal } from '../../generators/ask/refusal.ts';
import { runnerToken } from '../support/tokens.ts';

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
      ['gitlab.example.com', 'https://gitlab.example.com'],
      ['gitlab.example.com:8443/tools', 'https://gitlab.example.com:8443/tools'],
      [' HTTPS://GitLab.Example.COM/ ', 'https://gitlab.example.com'],
      ['http://gitlab.local:8080/tools/gitlab///', 'http://gitlab.local:8080/tools/gitlab'],
      ['https://gitlab.com:443', 'https://gitlab.com'],
      ['http://[::1]:8080', 'http://[::1]:8080'],
      ['http://192.168.1.5', 'http://192.168.1.5'],
      ['https://bücher.example', 'https://xn--bcher-kva.example'],
      ['https://host/~team/a-b_c.d', 'https://host/~team/a-b_c.d'],
    ],
    refused: [
      ['', /not a valid address/],
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
      ['a'.repeat(1018), /longer than 1024/],
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
      [
        '123456789012.dkr.ecr.eu-central-1.amazonaws.com',
        /^Passwords of Amazon ECR live 12 hours, .*get-login-password/,
      ],
      ['123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team', /Amazon ECR/],
      ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', /Amazon ECR/],
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
    check: text => checkChoice({ socket: 1, other: 2 }, text),
    taken: [
      ['socket', 'socket'],
      [' other ', 'other'],
    ],
    refused: [
      ['', /^Choose one of socket, other\.$/],
      ['constructor', /^There is no "constructor" here: choose one of socket, other\.$/],
      ['Socket', /^There is no "Socket" here \(did you mean socket\?\): choose one of socket, other\.$/],
      ['sock', /^There is no "sock" here \(did you mean socket\?\): choose one of socket, other\.$/],
    ],
  },
  checkBuilder: {
    check: text => checkBuilder({ socket: 1, buildkit: 2 }, text),
    taken: [['buildkit', 'buildkit']],
    refused: [
      ['socket-proxy', /a race between a request to \/session and the next one.* Choose buildkit/],
      ['dnd', /^There is no "dnd" here: choose one of socket, buildkit\.$/],
      [
        'bulidkit',
        /^There is no "bulidkit" here \(did you mean buildkit\?\): choose one of socket, buildkit\.$/,
      ],
      ['Socket', /^There is no "Socket" here \(did you mean socket\?\): choose one of socket, buildkit\.$/],
      ['build', /^There is no "build" here \(did you mean buildkit\?\)/],
      [' ', /^Choose one of socket, buildkit\.$/],
      ['', /^Choose one of socket, buildkit\.$/],
      ['x'.repeat(10_000), /^There is no "x{30}\.\.\." here: choose one of socket, buildkit\.$/],
    ],
  },
  checkDockerNetwork: {
    check: checkDockerNetwork,
    taken: [
      ['none', undefined],
      [' gitlab_default ', 'gitlab_default'],
      ['a.b-C1', 'a.b-C1'],
    ],
    refused: [
      ['', /A Docker network is named by/],
      ['_a', /A Docker network is named by/],
      ['a b', /A Docker network is named by/],
      ['a'.repeat(129), /A Docker network is named by/],
      ['host', /On the network "host" Docker knows containers by no name/],
      ['bridge', /knows containers by no name/],
    ],
  },
  checkCacheServer: {
    check: checkCacheServer,
    taken: [
      ['here', 'here'],
      [' Here ', 'here'],
      ['https://S3.example.com/', 'https://s3.example.com'],
      ['https://s3.example.com:443', 'https://s3.example.com'],
      ['https://s3.example.com:9000', 'https://s3.example.com:9000'],
      ['https://10.0.0.5:9000', 'https://10.0.0.5:9000'],
      ['https://[fd00::5]:9000', 'https://[fd00::5]:9000'],
    ],
    refused: [
      ['http://s3.example.com', /must speak TLS/],
      ...[
        ...['', 'there', 's3.example.com', 'https://', 'https://s3.example.com/bucket'],
        ...['https://key:secret@s3.example.com', 'https://s3.example.com:99999', 'https://s3.example.com?x'],
        ...["https://s3'x.example.com", 'https://$HOST', `https://${'a'.repeat(300)}`],
      ].map((typed): [string, RegExp] => [typed, /is "here" or https:/]),
    ],
  },
  checkBucket: {
    check: checkBucket,
    taken: ['runner-cache', 'abc', 'a.b.c', '1-2', 'x'.repeat(63)].map(name => [` ${name} `, name]),
    refused: [
      ...['', 'ab', 'x'.repeat(64), 'Cache', 'a_b', 'a..b', '-ab', 'ab-', '.ab', 'ab.', 'a b', 'a/b', 'ü-ab'],
      ...['10.0.0.1', 'xn--cache', 'sthree-cache', 'amzn-s3-demo-bucket', 'cache-s3alias', 'cache--ol-s3'],
      ...['cache.mrap', 'cache--x-s3', 'cache--table-s3'],
    ].map((name): [string, RegExp] => [name, /^A bucket is named by 3 to 63/]),
  },
  checkCleanUp: {
    check: checkCleanUp,
    taken: [
      ['1', 1],
      [' 30 ', 30],
      ['none', undefined],
      ['None', undefined],
    ],
    refused: ['', '0', '-1', '1.5', '7 days', 'never', '100000'].map(text => [
      text,
      /whole number of days from 1/,
    ]),
  },
  checkPlatforms: {
    check: checkPlatforms,
    taken: [
      ['host', []],
      [' host ', []],
      ['', []],
      [',', []],
      ['linux/amd64', ['linux/amd64']],
      [' linux/amd64 , linux/arm64,,linux/amd64 ', ['linux/amd64', 'linux/arm64']],
      ['linux/amd64/v3,linux/arm64/v8,linux/arm/v7', ['linux/amd64/v3', 'linux/arm64/v8', 'linux/arm/v7']],
      ['linux/386,linux/ppc64le,linux/s390x', ['linux/386', 'linux/ppc64le', 'linux/s390x']],
      ['linux/riscv64,linux/loong64,linux/mips64le', ['linux/riscv64', 'linux/loong64', 'linux/mips64le']],
    ],
    refused: [
      ...[
        ...[
          'amd64',
          'linux',
          'linux/',
          'linux/amd',
          'linux/x86_64',
          'Linux/amd64',
          'linux/arm',
          'linux/arm/v9',
        ],
        ...[
          'windows/amd64',
          'darwin/arm64',
          'linux/amd64/v5',
          'linux/amd64 linux/arm64',
          'linux/amd64;reboot',
        ],
        ...['host,linux/amd64', '$PLATFORM', 'linux/amd64/'],
      ].map((text): [string, RegExp] => [
        text,
        /There is no platform .*; write for example linux\/amd64,linux\/arm64/,
      ]),
      ['linux/amd64\nlinux/arm64', /one line of visible text/],
    ],
  },
  checkProxy: {
    check: checkProxy,
    taken: [
      ['none', undefined],
      [' none ', undefined],
      ['http://proxy.example.com:3128', 'http://proxy.example.com:3128'],
      [' HTTP://Proxy.Example.com:8080/ ', 'http://proxy.example.com:8080'],
      ['http://proxy:3128', 'http://proxy:3128'],
      ['http://10.0.0.1:1', 'http://10.0.0.1:1'],
      ['http://[fd00::1]:3128', 'http://[fd00::1]:3128'],
    ],
    refused: [
      ['https://proxy.example.com:3128', /spoken to by plain HTTP: write http:\/\//],
      ['http://me:secret@proxy.example.com:3128', /must not need a user name or password/],
      ...[
        ...[
          '',
          'None',
          'no',
          'proxy.example.com',
          'proxy.example.com:3128',
          'http://proxy.example.com',
          'http://:3128',
        ],
        ...[
          'http://proxy:99999',
          'http://proxy:3128/path',
          'http://proxy:3128//',
          'http://a b:3128',
          'socks5://p:1080',
        ],
        ...[
          'http://$PROXY:3128',
          'http://pro"xy:3128',
          'http://a_b:3128',
          'http://[::zz]:3128',
          'http://proxy:',
        ],
      ].map((text): [string, RegExp] => [text, /The proxy is written http:\/\/host:port/]),
      ['http://proxy\n:3128', /one line of visible text/],
    ],
  },
  checkHosts: {
    check: checkHosts,
    taken: [
      ['none', []],
      ['', []],
      ['gitlab.example.com', ['gitlab.example.com']],
      [' a , .internal.example.com,,a', ['a', '.internal.example.com']],
      ['10.0.0.0/8,10.0.0.1,localhost:5000', ['10.0.0.0/8', '10.0.0.1', 'localhost:5000']],
      ['::1,fd00::/8', ['::1', 'fd00::/8']],
    ],
    refused: [
      ...[
        ...[
          '*',
          '*.example.com',
          'a b',
          '-a',
          'a-',
          'http://a',
          'a/b',
          'a:b',
          '$HOST',
          'a;b',
          '[::1]',
          'a_b',
          "it's",
        ],
        ...['a/8', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/1000', 'a:123456', '..a'],
      ].map((text): [string, RegExp] => [
        text,
        /No host is called .*; write for example gitlab\.example\.com/,
      ]),
      ['a\nb', /one line of visible text/],
    ],
  },
  checkInsecureRegistry: {
    check: checkInsecureRegistry,
    taken: [
      ['none', undefined],
      [' none ', undefined],
      ['Registry.local:5000', 'registry.local:5000'],
      ['registry.local/', 'registry.local'],
      ['10.0.0.1:5000', '10.0.0.1:5000'],
      ['[::1]:5000', '[::1]:5000'],
      ['localhost', 'localhost'],
    ],
    refused: [
      ['gitlab', /host with optional port, and no path/],
      ['registry.local:5000/team', /host with optional port, and no path/],
      ['http://registry.local:5000', /without https:\/\//],
      ['registry', /The registry is "gitlab" or a host/],
      [
        '123456789012.dkr.ecr.eu-central-1.amazonaws.com',
        /^Passwords of Amazon ECR live 12 hours, .*get-login-password/,
      ],
      ['123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team', /Amazon ECR/],
      ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', /Amazon ECR/],
      ['', /The registry is "gitlab" or a host/],
    ],
  },
  checkExtraHosts: {
    check: checkExtraHosts,
    taken: [
      ['none', []],
      ['', []],
      ['gitlab.local:10.0.0.5', ['gitlab.local:10.0.0.5']],
      [' GitLab.local:Host-Gateway , a:1.2.3.4,,a:1.2.3.4', ['gitlab.local:host-gateway', 'a:1.2.3.4']],
      ['six.local:fd00::5,one.local:::1', ['six.local:fd00::5', 'one.local:::1']],
      ['a:::', ['a:::']],
      ['mapped.local:::ffff:10.0.0.5', ['mapped.local:::ffff:10.0.0.5']],
    ],
    refused: [
      ...[
        ...['gitlab.local', 'gitlab.local:', ':10.0.0.5', 'gitlab.local=10.0.0.5', 'gitlab.local 10.0.0.5'],
        ...[
          'a:b',
          'a:gateway',
          'a:10.0.0',
          'a:10.0.0.0/8',
          'a_b:10.0.0.5',
          '-a:10.0.0.5',
          '$A:10.0.0.5',
          'a:[::1]',
        ],
        ...['a:999.0.0.1', 'a:1:2', 'a:fe80::1%eth0'],
      ].map((text): [string, RegExp] => [
        text,
        /A name and its address are not .*; write for example gitlab\.local:/,
      ]),
      ['a:10.0.0.5,A:10.0.0.6', /^The name "a" is there twice; give it one address/],
      ['a:10.0.0.5\n', /one line of visible text/],
    ],
  },
};

/** The question with a list for an answer that such a check belongs to: how an empty one is typed is its own. */
const lists: Readonly<Record<string, AnswerName>> = {
  checkTags: 'tags',
  checkPlatforms: 'platforms',
  checkHosts: 'proxyExceptions',
  checkExtraHosts: 'extraHosts',
};

describe.each(Object.entries(checks))('%s', (title, { check, taken, refused }) => {
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
    const name = lists[title] ?? 'description';
    for (const [, value] of taken) expect(check(asTyped(name, value as never))).toEqual(value);
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

describe('a token of GitLab', () => {
  it.each(['gitlabUrl', 'description', 'tags', 'registry', 'dockerNetwork', 'extraHosts'] as const)(
    'is no answer to %s, nor part of one, and no message shows it',
    name => {
      for (const text of [
        runnerToken,
        `x ${runnerToken}`,
        `https://${runnerToken}/`,
        runnerToken.toLowerCase(),
      ]) {
        expect(() => questions[name].check(text)).toThrow(
          /There is a token in it, and answers come into Git/,
        );
      }
      expect(new Refusal(`There is no option --${runnerToken}.`).message).toBe(
        'There is no option --[masked].',
      );
    },
  );
});
