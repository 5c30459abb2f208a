/** An answer that cannot be used; its message is one sentence that says why, and what would do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
