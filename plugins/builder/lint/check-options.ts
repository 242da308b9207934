import { invalidParameter } from '@gantry/sdk';
import type { Rule } from './rules';

/** What the author of a Dockerfile wants of the checks. */
export interface CheckOptions {
  readonly skips: (rule: Rule) => boolean;
  /** A finding fails the build. */
  readonly fails: boolean;
}

/**
 * Reads the `check` directive, or the build argument BUILDKIT_DOCKERFILE_CHECK: `skip=all;error=true`.
 *
 * @throws invalid-parameter
 */
export function parseCheckOptions(text: string): CheckOptions {
  let skipped: readonly string[] = [];
  let fails = false;
  for (const part of text.split(';').filter((each) => each.trim() !== '')) {
    const [key = '', value] = part.split('=', 2).map((each) => each.trim());
    const bad = (what: string) =>
      invalidParameter(`failed to parse check options: invalid check option "${what}": use skip=RULE,… and error=true`);
    if (value === undefined) throw bad(part.trim());
    if (key === 'skip') skipped = value.split(',').map((name) => name.trim().toLowerCase());
    else if (key === 'error') {
      if (!/^(?:1|t|true|0|f|false)$/i.test(value)) throw bad(part.trim());
      fails = /^(?:1|t)/i.test(value);
    } else if (key !== 'experimental') throw bad(key);
  }
  return { skips: (rule) => skipped.includes('all') || skipped.includes(rule.toLowerCase()), fails };
}
