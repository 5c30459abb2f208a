/** Does that as somebody who is not root, who may read and write everything. Folders on the way have to be open to others. */
export function asNobody<T>(work: () => T): T {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    return work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}
