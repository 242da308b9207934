import { errorMessage, type Logger } from '@gantry/sdk';
import { runXtables } from '../iptables/programs';

/**
 * Where another program (an older engine, a host firewall) has set the policy of iptables' FORWARD chain to drop,
 * packets of our bridges would be dropped there although our own table lets them through. A chain of ours behind
 * all other rules accepts them: explicit rules of others win, their policy does not.
 */
export class ForwardPolicy {
  private readonly chain: string;
  private wanted: readonly string[] = [];
  /** Program → the rules in our chain. */
  private readonly written = new Map<string, string>();
  private running: Promise<void> = Promise.resolve();
  private queued = false;

  constructor(
    owner: string,
    private readonly managed: { readonly ipv4: boolean; readonly ipv6: boolean },
    private readonly log: Logger,
  ) {
    this.chain = owner.toUpperCase();
  }

  /** Checks, and accepts these bridges where needed. Runs on its own; failures go to the log. */
  update(bridges: readonly string[]): void {
    this.wanted = bridges;
    if (this.queued) return; // A look that has not begun yet sees this as well.
    this.queued = true;
    this.running = this.running
      .then(() => {
        this.queued = false;
        return this.apply();
      })
      .catch((error) => {
        this.log.warn('the policy of the FORWARD chain could not be looked after', { error: errorMessage(error) });
      });
  }

  /** Takes the chain away if there is one. */
  async remove(): Promise<void> {
    await this.running;
    for (const program of this.written.keys()) {
      await said(program, ['-w', '5', '-D', 'FORWARD', '-j', this.chain]);
      await said(program, ['-w', '5', '-F', this.chain]);
      await said(program, ['-w', '5', '-X', this.chain]);
    }
    this.written.clear();
  }

  private async apply(): Promise<void> {
    const bridges = this.wanted;
    const accepts = bridges.flatMap((bridge) => [`-i ${bridge} -j ACCEPT`, `-o ${bridge} -j ACCEPT`]);
    for (const [program, restore, family] of families) {
      if (!this.managed[family]) continue;
      const rules = await said(program, ['-w', '5', '-S', 'FORWARD']);
      const jumps = rules?.includes(`-j ${this.chain}`) ?? false;
      if (!jumps && !/^-P FORWARD DROP/m.test(rules ?? '')) continue;
      if (jumps && this.written.get(program) === accepts.join()) continue;
      const script = [
        '*filter',
        `:${this.chain} - [0:0]`, // Makes the chain, or empties it.
        ...accepts.map((rule) => `-A ${this.chain} ${rule}`),
        ...(jumps ? [] : [`-A FORWARD -j ${this.chain}`]),
        'COMMIT\n',
      ].join('\n');
      if ((await said(restore, ['-w', '5', '--noflush'], script)) !== undefined)
        this.written.set(program, accepts.join());
      else this.log.warn('packets of our bridges may be dropped by the policy of the FORWARD chain', { program });
    }
  }
}

const families = [
  ['iptables', 'iptables-restore', 'ipv4'],
  ['ip6tables', 'ip6tables-restore', 'ipv6'],
] as const;

/** @returns what the program says; undefined when it is not installed or fails */
function said(program: string, args: readonly string[], input?: string): Promise<string | undefined> {
  return runXtables(program, args, input).catch(() => undefined);
}
