import { randomBytes } from 'node:crypto';

// A random prefix per process and a counter: unique across restarts without random numbers per request.
const prefix = randomBytes(4).toString('hex');
let count = 0;

/** Names a request in logs: `9f3a01bc-1`, `9f3a01bc-2`, … */
export function nextRequestId(): string {
  count += 1;
  return `${prefix}-${count.toString(36)}`;
}
