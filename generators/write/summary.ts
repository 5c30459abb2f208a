import type { RunnerRepository } from '../plan/plan.ts';
import { type Change, isWritten, type Kind, kinds } from './changes.ts';
import { committed, uncommitted } from './git.ts';
import type { LeftBehind } from './left-behind.ts';
import type { Lines } from './merge.ts';
import { wrapped } from './wrapped.ts';

const notes: { readonly [K in Kind]: readonly [word: string, note: string] } = {
  create: ['create', ''],
  change: ['change', ''],
  merge: ['merge', ': your changes and the new ones'],
  remove: ['remove', ': not used any more'],
  same: ['', ''],
  keep: ['keep', ': your changes, nothing new'],
  unused: ['keep', ': not used any more, and changed or moved by you'],
  deleted: ['leave out', ': you took it away'],
  unknown: ['keep', ': you changed it, and what was written there before is not known any more'],
  conflict: ['conflict', ': you and the new answers changed the same lines'],
  foreign: ['replace', ': there already, and not of this generator'],
};

/** The repository as it was and as it is to be, and what of the former goes on elsewhere. */
interface Repositories {
  readonly before?: RunnerRepository | undefined;
  readonly after: RunnerRepository;
  readonly left?: readonly LeftBehind[];
}

/**
 * What a run is about to do, in lines: to each file, and what its builders mean for whoever runs it.
 *
 * @param before the repository as it was; what that meant already is not said again
 */
export function summary(
  folder: string,
  changes: readonly Change[],
  { before, after, left = [] }: Repositories,
  { force, columns = Number.POSITIVE_INFINITY }: { readonly force: boolean; readonly columns?: number },
): string[] {
  const shown = kinds.flatMap(kind => changes.filter(change => change.kind === kind && kind !== 'same'));
  const fitted = (line: string) => wrapped(line, columns, line.startsWith(' ') ? '    ' : '');
  const written = changes.filter(isWritten);
  if (shown.length === 0) return [`Nothing changes in ${folder}.`];
  const dirty = new Set(written.some(({ before }) => before !== undefined) ? uncommitted(folder) : []);
  const mixed = written.map(({ place }) => place).filter(place => dirty.has(place));
  return [
    `In ${folder}:`,
    ...linesOf(shown, force, columns < Number.POSITIVE_INFINITY),
    ...(mixed.length > 0
      ? [`Not committed yet, so "git diff" will show your changes and these as one: ${mixed.join(', ')}`]
      : []),
    ...(written.length > 0 ? risks(after).filter(risk => !before || !risks(before).includes(risk)) : []),
    ...left.map(({ sentence }) => sentence),
  ].flatMap(fitted);
}

/** A line for each file; in a terminal, whose lines are few, one for all that need no word of their own. */
function linesOf(shown: readonly Change[], force: boolean, isTerminal: boolean): string[] {
  const isPlain = ({ kind, path, place }: Change) => isTerminal && notes[kind][1] === '' && path === place;
  return kinds.flatMap(kind => {
    const ofKind = shown.filter(change => change.kind === kind);
    const plain = ofKind.filter(isPlain).map(({ path }) => path);
    return [
      ...(plain.length > 0 ? [`  ${notes[kind][0]} ${plain.join(', ')}`] : []),
      ...ofKind.filter(change => !isPlain(change)).map(change => `  ${lineOf(change, force)}`),
    ];
  });
}

function lineOf({ kind, path, place, conflicts, lost }: Change, force: boolean): string {
  const [word, note] = notes[kind];
  const name = path === place ? path : `${place} (${path}, which you moved)`;
  const yours = lost.length > 0 ? `, and yours go: ${inWords(lost)}` : '';
  const taken = force ? `; the new ones are taken${yours}` : `; to be marked at line ${conflicts.join(', ')}`;
  return `${word} ${name}${note}${kind === 'conflict' ? taken : ''}`;
}

/** How many lines, and where. */
const inWords = (lines: readonly Lines[]) =>
  lines.map(({ line, count }) => `${count} ${count > 1 ? 'from' : 'at'} line ${line}`).join(', ');

/** Lines of the owner that go by --force. */
export interface Losses {
  /** Those that the last commit may not have, in full: they may be nowhere else. */
  readonly shown: readonly string[];
  /** What went, and how to get it back, in a sentence; undefined where nothing goes. */
  readonly sentence: string | undefined;
}

/** What --force takes away of the owner's. */
export function lossesOf(folder: string, changes: readonly Change[]): Losses {
  const losing = changes.filter(({ lost }) => lost.length > 0);
  if (losing.length === 0) return { shown: [], sentence: undefined };
  const safe = committed(
    folder,
    losing.map(({ place }) => place),
  );
  const only = losing.filter(({ place }) => !safe.includes(place));
  const blocks = only.flatMap(({ place, before = '', lost }) =>
    lost.flatMap(one => [
      `  ${place}, ${inWords([one])}:`,
      ...before
        .split(/\r?\n/)
        .slice(one.line - 1, one.line - 1 + one.count)
        .map(line => `    ${line}`),
    ]),
  );
  const where = losing.map(({ place, lost }) => `${place} (${inWords(lost)})`).join(', ');
  // It would take back as well what else is not committed.
  const back =
    uncommitted(folder).length === 0 ? ', and "git restore ." takes back what this run changed' : '';
  const files = only.map(({ place }) => place).join(', ');
  const remedies = [
    ...(safe.length > 0 ? [`"git diff" shows these lines${back}.`] : []),
    ...(only.length > 0 ? [`Not committed as it was: ${files}; its lines are shown above.`] : []),
  ];
  return {
    shown: only.length > 0 ? ['Lines of yours that go, of what is not committed as it is:', ...blocks] : [],
    sentence: [`Taken away by --force: ${where}.`, ...remedies].join(' '),
  };
}

function risks({ threats }: RunnerRepository): string[] {
  return threats.flatMap(({ builder, can }) => (builder === undefined ? [] : [riskOf(builder, can)]));
}

/** What that builder lets people do, in a sentence. */
export const riskOf = (builder: string, can: string): string =>
  `With the builder ${builder}, whoever can push can ${can}.`;

/** What the owner has still to do where texts do not go together; undefined where nothing is left. */
export function unresolved(changes: readonly Change[], isDryRun: boolean): string | undefined {
  const marked = changes
    .filter(({ conflicts }) => conflicts.length > 0)
    .map(({ place, conflicts }) => `${place} (line ${conflicts.join(', ')})`);
  const unknown = changes.filter(({ kind }) => kind === 'unknown').map(({ place }) => place);
  const sentences = [
    ...(marked.length > 0
      ? [
          isDryRun
            ? `Conflicts would be marked in ${marked.join(', ')}; --force takes the new lines.`
            : `Conflicts are marked in ${marked.join(', ')}: choose between "yours" and "new" there, and take the marks away. All else is written.`,
        ]
      : []),
    ...(unknown.length > 0
      ? [
          `Not brought up to date, for what was written there before is in no commit: ${unknown.join(', ')}. The new text is shown above: put in by hand what you want of it, or run again with --force, which takes all of it.`,
        ]
      : []),
  ];
  return sentences.length > 0 ? sentences.join('\n') : undefined;
}
