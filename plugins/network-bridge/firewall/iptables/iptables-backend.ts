import type { Logger } from '@gantry/sdk';
import { ChangeWatch } from '../change-watch';
import type { FilterBackend, FilterContent, FilterOptions, PortChange } from '../packet-filter';
import { runXtables } from './programs';
import { removalScript, repairScript, tableScript } from './repair-script';
import { RuleFingerprint } from './rule-fingerprint';
import {
  type Family,
  familyOf,
  generalRules,
  type IptablesRule,
  networkRules,
  portRule,
  ruleLine,
  type TableName,
} from './rules';
import { parseSaved, type SavedTable } from './saved-rules';

const programs = { ipv4: 'iptables', ipv6: 'ip6tables' } as const;
const PATIENCE = ['-w', '5'];
const TRIES = 3;

/** Rules in the tables of iptables, in chains named as dockerd names them; each carries the owner's mark. */
export class IptablesBackend implements FilterBackend {
  private readonly families: readonly Family[];
  private readonly written = new Set<Family>();
  private watch: ChangeWatch | undefined;
  private fingerprint: RuleFingerprint | undefined;
  private seen: string | undefined;
  private writing = 0;
  private changes = 0;
  private closed = false;

  /** @param owner mark of our rules */
  constructor(
    private readonly owner: string,
    private readonly options: FilterOptions,
    private readonly log: Logger,
    private readonly content: FilterContent,
    private readonly heal: () => Promise<void>,
  ) {
    this.families = (['ipv4', 'ipv6'] as const).filter((family) => options[family]);
  }

  changePorts(changes: readonly PortChange[]): Promise<void> {
    return this.whileWriting(async () => {
      for (const family of this.families) {
        const lines = changes.flatMap((change) => {
          const ports = 'add' in change ? change.add : change.remove;
          const rules = ports.filter((port) => familyOf(port) === family).map(portRule);
          return rules.map((rule) => ({
            table: rule.table,
            line: ruleLine(this.owner, rule, 'add' in change ? 'add' : 'delete'),
          }));
        });
        const script = (['nat', 'filter'] as const)
          .map((table) =>
            tableScript(
              table,
              lines.filter((one) => one.table === table).map(({ line }) => line),
            ),
          )
          .join('');
        if (script !== '') await restore(family, script);
      }
    });
  }

  async write(): Promise<void> {
    await this.whileWriting(async () => {
      for (const family of this.families) {
        const rules = this.wanted(family);
        if (rules.length === 0 && !this.written.has(family) && !(await this.holdsOurs(family))) continue;
        await this.repair(family, rules);
        this.written.add(family);
      }
    });
    await this.startWatch();
  }

  async isPresent(): Promise<boolean> {
    for (const family of this.families) if (await this.holdsOurs(family)) return true;
    return false;
  }

  async close(remove: boolean): Promise<void> {
    this.closed = true;
    this.watch?.close();
    this.fingerprint?.close();
    if (!remove) return;
    for (const family of this.written) await this.takeAway(family);
  }

  /** Somebody else who changes the rules at this very moment makes the script wrong: then it is made again. */
  private async repair(family: Family, rules: readonly IptablesRule[], tries = TRIES): Promise<void> {
    const script = repairScript(this.owner, family, await this.save(family), rules);
    if (script === '') return;
    await restore(family, script).catch((error) => {
      if (tries <= 1) throw error;
      return this.repair(family, rules, tries - 1);
    });
  }

  private async takeAway(family: Family, tries = TRIES): Promise<void> {
    const script = removalScript(family, await this.save(family));
    if (script === '') return;
    await restore(family, script).catch((error) => {
      if (tries <= 1) throw error;
      return this.takeAway(family, tries - 1);
    });
  }

  private wanted(family: Family): IptablesRule[] {
    const networks = [...this.content.networks.values()].filter(
      (network) => family === 'ipv4' || network.subnets6.length > 0,
    );
    const ports = this.content.ports().filter((port) => familyOf(port) === family);
    if (networks.length === 0 && ports.length === 0) return [];
    return [
      ...generalRules(this.options),
      ...networks.flatMap((network) => networkRules(network, family)),
      ...ports.map(portRule),
    ];
  }

  private async save(family: Family): Promise<Map<TableName, SavedTable>> {
    return parseSaved(await runXtables(`${programs[family]}-save`, []), this.owner);
  }

  private async holdsOurs(family: Family): Promise<boolean> {
    // Without the program there is nothing of ours.
    const saved = await this.save(family).catch(() => new Map<TableName, SavedTable>());
    return [...saved.values()].some(({ rules }) => rules.some(({ id }) => id !== undefined));
  }

  private async whileWriting(work: () => Promise<void>): Promise<void> {
    this.writing++;
    try {
      await work();
    } finally {
      this.writing--;
      this.changes++;
    }
  }

  private async startWatch(): Promise<void> {
    if (this.watch !== undefined) return;
    const version = await runXtables(programs[this.families[0]!], ['--version']);
    if (this.closed || this.watch !== undefined) return;
    const isNft = version.includes('nf_tables');
    this.fingerprint = RuleFingerprint.open(isNft, this.families);
    this.watch = new ChangeWatch(isNft, this.log, () => this.look());
  }

  private async look(): Promise<void> {
    const fingerprint = this.fingerprint!.take();
    if (fingerprint === this.seen) return;
    const { changes } = this;
    const isWhole = this.writing === 0 && (await this.isWhole());
    if (this.closed) return;
    if (this.writing > 0 || this.changes !== changes) return this.watch!.nudge();
    if (!isWhole) {
      this.log.warn('the rules of iptables were changed by somebody else, writing ours anew', { owner: this.owner });
      await this.heal();
    } else this.seen = fingerprint;
  }

  private async isWhole(): Promise<boolean> {
    for (const family of this.written)
      if (repairScript(this.owner, family, await this.save(family), this.wanted(family)) !== '') return false;
    return true;
  }
}

async function restore(family: Family, script: string): Promise<void> {
  await runXtables(`${programs[family]}-restore`, [...PATIENCE, '--noflush'], script);
}
