import checkbox from '@inquirer/checkbox';
import confirm from '@inquirer/confirm';
import input from '@inquirer/input';
import select from '@inquirer/select';
import type { Answered, Prompt } from '../generators/ask/prompts.ts';

/**
 * Asks in this terminal, one prompt after the other, as Yeoman does by the same library.
 * @throws ExitPromptError at Ctrl-C
 */
export async function ask(prompts: readonly Prompt[]): Promise<Answered> {
  const answered: Record<string, string | boolean | string[]> = {};
  for (const prompt of prompts) {
    if (prompt.when?.(answered) ?? true) answered[prompt.name] = await askOne(prompt, answered);
  }
  return answered;
}

function askOne(prompt: Prompt, answered: Answered): Promise<string | boolean | string[]> {
  const now = (value: unknown) => (typeof value === 'function' ? value(answered) : value);
  const message: string = now(prompt.message);
  const byDefault = now(prompt.default);
  if (prompt.type === 'confirm') return confirm({ message, default: byDefault });
  if (prompt.type === 'select') {
    return select({ message, default: byDefault, choices: prompt.choices?.(answered) ?? [] });
  }
  if (prompt.type === 'checkbox') {
    const choices = prompt.choices?.(answered) ?? [];
    return checkbox({ message, choices, pageSize: prompt.pageSize ?? choices.length });
  }
  const validate = (typed: string) => prompt.validate?.(typed, answered) ?? true;
  return input({ message, default: byDefault, validate });
}
