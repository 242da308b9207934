import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** A command of a guide, with what it prints; `…` stands for anything. */
export interface GuideCommand {
  readonly command: string;
  readonly prints: string;
}

/** What a reader does at one place of a guide. */
export type GuideStep =
  | { readonly kind: 'file'; readonly name: string; readonly content: string }
  /** `stays`: the command goes on running. `starts`: it is the daemon. `soon`: it prints that before long. */
  | { readonly kind: 'commands'; readonly mode: string; readonly commands: readonly GuideCommand[] };

export interface GuidePart {
  readonly title: string;
  readonly steps: readonly GuideStep[];
}

/** The parts of a page of the SDK's guide, as its headings divide it: files to write and commands to type. */
export function readGuide(name: string): readonly GuidePart[] {
  const text = readFileSync(resolve(__dirname, '../../sdk/guide', name), 'utf8');
  return text.split(/^## /m).map((part, index) => ({
    title: index === 0 ? 'To begin' : part.slice(0, part.indexOf('\n')),
    steps: [...part.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].flatMap(
      ([, language, mode = '', content = '']): GuideStep[] => {
        if (language === 'console') return [{ kind: 'commands', mode, commands: commandsOf(content) }];
        if (mode.startsWith('file=')) return [{ kind: 'file', name: mode.slice('file='.length), content }];
        return [];
      },
    ),
  }));
}

function commandsOf(content: string): GuideCommand[] {
  return content
    .split(/^[#$] /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf('\n');
      return { command: text.slice(0, end), prints: text.slice(end + 1).trim() };
    });
}

/** What a command may print where the guide says `prints`. */
export function printed(prints: string): RegExp {
  const parts = prints.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`);
}
