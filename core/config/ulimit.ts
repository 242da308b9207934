/** Names the kernel has. @see setrlimit(2) */
const names = new Set([
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
]);

/** `nofile=1024:2048`, `nofile=1024`; -1 is unlimited. @throws Error naming what is wrong */
export function parseUlimit(text: string): { Name: string; Soft: number; Hard: number } {
  const [, name, softText, hardText] = /^([^=]+)=(-?\d+)(?::(-?\d+))?$/.exec(text) ?? [];
  if (name === undefined || softText === undefined) throw new Error(`invalid ulimit argument: ${text}`);
  if (!names.has(name)) throw new Error(`invalid ulimit type: ${name}`);
  const soft = Number(softText);
  const hard = hardText === undefined ? soft : Number(hardText);
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { Name: name, Soft: soft, Hard: hard };
}
