import { describe, expect, test } from '@jest/globals';
import { removalScript, repairScript } from '../firewall/iptables/repair-script';
import { type IptablesRule, networkRules, portRule } from '../firewall/iptables/rules';
import { parseSaved } from '../firewall/iptables/saved-rules';
import type { FirewallNetwork } from '../firewall/packet-filter';

const owner = 'gantry-feedc0de';
const network = (bridgeName: string): FirewallNetwork => ({
  bridgeName,
  subnets4: ['192.0.2.0/24'],
  subnets6: [],
  icc: true,
  masquerade: true,
  internal: false,
  gatewayMode4: 'nat',
  gatewayMode6: 'nat',
  sourceIp4: '',
  sourceIp6: '',
  trustedInterfaces: [],
});
const port = { proto: 'tcp', hostIp: '', hostPort: 8080, targetIp: '192.0.2.2', targetPort: 80 } as const;
const wanted: IptablesRule[] = [...networkRules(network('br-a'), 'ipv4'), portRule(port)];
const nothing = '*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n';

/** What iptables-save would say after the script: enough of iptables-restore for scripts of ours. */
function play(saved: string, script: string): string {
  const tables = new Map<string, { chains: string[]; rules: string[] }>();
  let table = { chains: [] as string[], rules: [] as string[] };
  for (const line of `${saved}\n${script}`.split('\n')) {
    const [, verb = '', chain = '', rest = ''] = /^-([A-Z]) (\S+) ?(.*)$/.exec(line) ?? [];
    const head = table.rules.findIndex((rule) => rule.startsWith(`-A ${chain} `));
    if (line.startsWith('*')) {
      table = tables.get(line) ?? { chains: [], rules: [] };
      tables.set(line, table);
    } else if (line.startsWith(':')) table.chains.push(line);
    else if (verb === 'N') table.chains.push(`:${chain} - [0:0]`);
    else if (verb === 'X') table.chains = table.chains.filter((one) => !one.startsWith(`:${chain} `));
    else if (verb === 'A') table.rules.push(line);
    else if (verb === 'I') table.rules.splice(head < 0 ? table.rules.length : head, 0, `-A ${chain} ${rest}`);
    else if (verb === 'D') {
      expect(table.rules).toContain(`-A ${chain} ${rest}`);
      table.rules.splice(table.rules.indexOf(`-A ${chain} ${rest}`), 1);
    }
  }
  return [...tables].map(([name, { chains, rules }]) => [name, ...chains, ...rules, 'COMMIT'].join('\n')).join('\n');
}
const repair = (saved: string, rules = wanted) => repairScript(owner, 'ipv4', parseSaved(saved, owner), rules);
const whole = play(nothing, repair(nothing));

describe('the rules of iptables', () => {
  test('are written once; what is there already is left alone', () => {
    expect(whole).toMatch(/-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-FORWARD/);
    expect(whole).toContain('--dport 8080 -j DNAT --to-destination 192.0.2.2:80');
    expect(repair(whole)).toBe('');
  });

  test.each([
    ['a published port', (line: string) => line.includes('--dport 8080')],
    ['a chain', (line: string) => line.startsWith('-A DOCKER ')],
    ['the way in', (line: string) => line === '-A FORWARD -j DOCKER-FORWARD'],
    ['the first rule of a chain', (line: string) => line.startsWith('-A DOCKER -') && line.includes('--ctstate DNAT')],
  ])('come back in their order when somebody takes away %s', (_what, isTaken) => {
    const less = whole
      .split('\n')
      .filter((line) => !isTaken(line))
      .join('\n');
    expect(less).not.toBe(whole);
    const order = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.startsWith('-A DOCKER -'))
        .join('\n');
    const healed = play(less, repair(less));
    expect(order(healed)).toBe(order(whole));
    expect(repair(healed)).toBe('');
  });

  test('of a network that is gone go, rules of others stay where they are', () => {
    const both = play(whole, repair(whole, [...wanted, ...networkRules(network('br-b'), 'ipv4')]));
    const foreign = both.replace('*filter\n', '*filter\n-A FORWARD -s 198.51.100.7/32 -j DROP\n-A DOCKER -j RETURN\n');
    const healed = play(foreign, repair(foreign));
    expect(healed).not.toContain('br-b');
    expect(healed).toContain('-A FORWARD -s 198.51.100.7/32 -j DROP');
    expect(healed).toContain('-A DOCKER -j RETURN');
    expect(repair(healed)).toBe('');
  });

  test('leave nothing when they are taken away, but for chains that hold rules of others', () => {
    const remove = (saved: string) => play(saved, removalScript('ipv4', parseSaved(saved, owner)));
    expect(remove(whole)).not.toMatch(/DOCKER|gantry/);
    const guarded = whole.replace('*filter\n', '*filter\n-A DOCKER-USER -s 198.51.100.7/32 -j DROP\n');
    const left = remove(guarded);
    expect(left).not.toContain('gantry');
    expect(left).toContain('-A FORWARD -j DOCKER-USER');
  });
});
