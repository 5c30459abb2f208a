import { Refusal } from '../../generators/ask/refusal.ts';

/** The refusal that this ends with; undefined if it goes well. */
export function refusalIn(body: () => unknown): Refusal | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
