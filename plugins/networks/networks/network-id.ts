import { randomBytes } from 'node:crypto';

/** 64 hex digits, as dockerd's ids. Never all digits in the first twelve, so that a short id is not taken for a number. */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (/[a-f]/.test(id.slice(0, 12))) return id;
  }
}

/** Now in RFC 3339; a fraction does not end in zeros, as Go writes it. */
export function timestamp(now: Date = new Date()): string {
  return now.toISOString().replace(/\.?0*Z$/, 'Z');
}
