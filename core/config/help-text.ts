import { ownFlags } from './command-line';
import { keyGroups } from './known-keys';

/** `gantryd --help`. */
export function helpText(): string {
  const lines = [
    '',
    'Usage:  gantryd [OPTIONS]',
    '        gantryd COMMAND [OPTIONS]',
    '',
    'A plugin-first container engine that serves the Docker Engine API.',
    'Every option is also a key of daemon.json, in its plural where it can be given several times.',
    '',
    'Commands:',
    '  reload    Let the running daemon read its configuration again, and say what it did',
    '  doctor    Say what this machine has and lacks to run containers, and how to get it',
    '',
    "Run 'gantryd COMMAND --help' for more about a command.",
  ];
  for (const [title, group] of Object.entries(keyGroups)) {
    const flags = Object.values(group).filter((spec) => spec.flag !== undefined);
    if (flags.length === 0) continue;
    lines.push('', `${title}:`);
    for (const spec of flags) {
      const { name, short, placeholder } = spec.flag!;
      lines.push(row(name, short, placeholder, spec.about, spec.fallbackText ?? shown(spec.fallback)));
    }
  }
  lines.push('', 'General:');
  for (const [name, flag] of Object.entries(ownFlags))
    lines.push(
      row(
        name,
        'short' in flag ? flag.short : undefined,
        flag.takes === 'one' ? 'string' : undefined,
        flag.about,
        'fallback' in flag ? flag.fallback : '',
      ),
    );
  return `${lines.join('\n')}\n`;
}

function row(
  name: string,
  short: string | undefined,
  placeholder: string | undefined,
  about: string,
  fallback: string,
) {
  const left = `  ${short ? `-${short}, ` : '    '}--${name}${placeholder ? ` ${placeholder}` : ''}`;
  return `${left.padEnd(46)} ${about}${fallback === '' ? '' : ` (default ${fallback})`}`;
}

function shown(fallback: unknown): string {
  if (fallback === undefined || fallback === '') return '';
  if (Array.isArray(fallback)) return fallback.join(', ');
  if (typeof fallback === 'object') return '';
  return String(fallback);
}
