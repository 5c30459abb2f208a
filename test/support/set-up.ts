import { afterAll, afterEach } from 'vitest';
import { removeFolders } from './rendered.ts';

// For each file of tests, also of several that share what they import.

afterAll(removeFolders);

// Tests that wait for programs give vitest no moment for messages between its workers, on which it gives up after a
// minute.
afterEach(() => new Promise(resolve => setImmediate(resolve)));
