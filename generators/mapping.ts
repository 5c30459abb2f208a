/** Values by names, as JSON and YAML have them. */
export type Mapping = Readonly<Record<string, unknown>>;

/** Whether that is one, and no list. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
