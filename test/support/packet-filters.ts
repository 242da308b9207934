import { execFileSync } from 'node:child_process';

/** Looks at and disturbs the rules of a daemon, whatever they are written with. */
export interface PacketFilterProbe {
  /** An operator's rule: what comes from the address is dropped. */
  drop(address: string): void;
  /** Takes the operator's rules away. */
  clear(): void;
  /** What the operator has written. */
  operatorRules(): string;
  /** What is published. */
  ports(): string;
  holdsPort(port: number): boolean;
  /** Whether everything that leads to the rules is there. */
  isWhole(): boolean;
  /** Ways in which others take rules away. */
  readonly drills: readonly { readonly name: string; run(): void }[];
}

const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' });
const orEmpty = (work: () => string) => {
  try {
    return work();
  } catch {
    return ''; // Not there at this moment.
  }
};
// The whole ruleset would take the rules of other daemons on a shared machine along.
const isShared = process.env.GANTRY_SHARED_MACHINE !== undefined;

function nftables(owner: string): PacketFilterProbe {
  const nft = (...args: string[]) => run('nft', ...args);
  const ports = () => orEmpty(() => nft('list', 'map', 'inet', owner, 'any4'));
  const drills = [
    ['flush', 'map', 'inet', owner, 'any4'],
    ['flush', 'chain', 'inet', owner, 'forward'],
    isShared ? ['delete', 'table', 'inet', owner] : ['flush', 'ruleset'],
  ];
  return {
    drop: (address) => void nft('add', 'rule', 'inet', owner, 'DOCKER-USER', 'ip', 'saddr', address, 'drop'),
    clear: () => void nft('flush', 'chain', 'inet', owner, 'DOCKER-USER'),
    operatorRules: () => orEmpty(() => nft('list', 'chain', 'inet', owner, 'DOCKER-USER')),
    ports,
    holdsPort: (port) => ports().includes(`. ${port} :`),
    isWhole: () => orEmpty(() => nft('list', 'chain', 'inet', owner, 'forward')).includes('vmap @to-bridge'),
    drills: drills.map((drill) => ({ name: drill.join(' '), run: () => void nft(...drill) })),
  };
}

function iptables(owner: string): PacketFilterProbe {
  const say = (...args: string[]) => run('iptables', '-w', '5', ...args);
  const ports = () => orEmpty(() => say('-t', 'nat', '-S', 'DOCKER'));
  const forward = () => orEmpty(() => say('-S', 'DOCKER-FORWARD'));
  const drills = isShared
    ? [
        ['-t', 'nat', '-F', 'DOCKER'],
        ['-F', 'DOCKER-FORWARD'],
        ['-D', 'FORWARD', '-j', 'DOCKER-FORWARD'],
      ]
    : [['-t', 'nat', '-F'], ['-F']];
  return {
    drop: (address) => void say('-I', 'DOCKER-USER', '-s', address, '-j', 'DROP'),
    clear: () => void say('-F', 'DOCKER-USER'),
    operatorRules: () => orEmpty(() => say('-S', 'DOCKER-USER')),
    ports,
    holdsPort: (port) => ports().includes(`--dport ${port} `),
    isWhole: () =>
      forward().includes(owner) && orEmpty(() => say('-S', 'FORWARD')).includes('-A FORWARD -j DOCKER-FORWARD'),
    drills: drills.map((drill) => ({ name: `iptables ${drill.join(' ')}`, run: () => void say(...drill) })),
  };
}

/** One for each value of `firewall-backend`. @param owner how the daemon marks what is its own */
export const packetFilters = { nftables, iptables } as const;
