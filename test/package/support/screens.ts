import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Dialogue } from './terminal.ts';

/** Whether what is on the screen is written down, and not compared: npm run screens */
const records = process.env.SCREENS === 'record';

/** Milliseconds between two looks at the screen. */
const pause = 50;
/** Seconds for which a screen that shows what is waited for, and not what was recorded, may still become that. */
const patience = 30;

/** The screens of one dialogue, one after the other, as `test/package/screens/NAME.txt` has them. */
export class Screens {
  readonly #file: string;
  readonly #recorded: ReadonlyMap<string, string>;
  readonly #seen: [title: string, screen: string][] = [];

  constructor(name: string) {
    this.#file = fileURLToPath(new URL(`../screens/${name}.txt`, import.meta.url));
    const parts = existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split(/^═+ (.*) ═+\n/m) : [];
    const pairs = parts.flatMap((title, at): [string, string][] =>
      at % 2 === 1 ? [[title, parts[at + 1] ?? '']] : [],
    );
    this.#recorded = new Map(pairs);
  }

  /** Waits until the screen shows that, and then for it to be what was recorded under the title. */
  async see(terminal: Dialogue, title: string, shown: RegExp): Promise<void> {
    await terminal.shows(shown);
    const recorded = this.#recorded.get(title);
    const screen = records ? await quiet(terminal) : await becoming(terminal, recorded);
    this.#seen.push([title, screen]);
    if (!records) expect(screen, `the screen "${title}" (npm run screens)`).toBe(recorded);
  }

  /** Ends it: there is no other screen than these. */
  end(): void {
    if (records) {
      mkdirSync(dirname(this.#file), { recursive: true });
      const text = this.#seen.map(([title, screen]) => `${`═══ ${title} `.padEnd(80, '═')}\n${screen}`);
      writeFileSync(this.#file, text.join(''));
    } else expect(this.#seen.map(([title]) => title)).toEqual([...this.#recorded.keys()]);
  }
}

/** What is on a screen, without the name of a folder that is made for one test, and ids of texts; each line is as long as it was. */
export function withoutChance(screen: string): string {
  return screen.replace(/workplace-\w{6}/g, 'workplace-XXXXXX').replace(/\b[0-9a-f]{40}\b/g, 'x'.repeat(40));
}

function screenOf(terminal: Dialogue): string {
  const lines = withoutChance(terminal.screen()).split('\n');
  return `${lines
    .map(line => line.trimEnd())
    .join('\n')
    .trimEnd()}\n`;
}

const wait = () => new Promise(resolve => setTimeout(resolve, pause));

async function becoming(terminal: Dialogue, recorded: string | undefined): Promise<string> {
  const end = Date.now() + patience * 1000;
  let screen = screenOf(terminal);
  while (screen !== recorded && Date.now() < end) {
    await wait();
    screen = screenOf(terminal);
  }
  return screen;
}

/** The screen once it has not changed for a second: whoever records looks at it afterwards. */
async function quiet(terminal: Dialogue): Promise<string> {
  let [screen, since] = [screenOf(terminal), Date.now()];
  while (Date.now() - since < 1000) {
    await wait();
    const now = screenOf(terminal);
    if (now !== screen) [screen, since] = [now, Date.now()];
  }
  return screen;
}
