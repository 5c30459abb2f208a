/**
 * Whether a test has what it needs; one that has not is skipped: `describe.skipIf(!needs(found, 'make'))`.
 * With `E2E=required` in the environment nothing is skipped: what is missing is an error.
 *
 * @param condition whether it is there
 * @param what what is needed, as a reader would name it
 */
export function needs(condition: boolean, what: string): boolean {
  if (!condition && process.env.E2E === 'required') {
    throw new Error(`E2E=required, and this is missing: ${what}.`);
  }
  return condition;
}
