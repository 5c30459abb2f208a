import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';

/**
 * A unified diff of one file, as `git apply` and `patch -p1` take it; undefined is for a file that there is not.
 *
 * @param executable whether a new file may be executed, which only a header of Git's can say
 */
export function diff(
  path: string,
  before: string | undefined,
  after: string | undefined,
  executable = false,
): string {
  const [from, to] = [
    before === undefined ? '/dev/null' : `a/${path}`,
    after === undefined ? '/dev/null' : `b/${path}`,
  ];
  const options = { context: 3, headerOptions: FILE_HEADERS_ONLY };
  const mode = executable && before === undefined;
  const header = mode ? `diff --git a/${path} b/${path}\nnew file mode 100755\n` : '';
  const patch = createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, options);
  // An empty line at the end of a hunk is a blank: only the last line end goes.
  return `${header}${patch}`.replace(/\n$/, '');
}
